import dataclasses
import errno
import os
from pathlib import Path

import pytest
from cellwright_components.running import publish_scores, run
from kfp import dsl

from cellwright import steps
from cellwright.errors import DataError
from cellwright.files import write_text
from cellwright.report import Message, Mistake, read_line
from cellwright.spec import parse_spec
from tests.report.results import EVALUATION

SPEC = parse_spec('{"name": "fake", "data": {"source": "digits"}}').model_dump_json(by_alias=True)


@pytest.fixture
def first_step(monkeypatch):
    """Put a function in the place of what prepare does."""

    def replace(function):
        step = dataclasses.replace(
            steps.STEPS["prepare"],
            settings=lambda spec: spec.seed,
            run=lambda spec, inputs, *rest: function(*rest),
        )
        monkeypatch.setitem(steps.STEPS, "prepare", step)

    return replace


def printed(capfd) -> list[object]:
    return [read_line(line) for line in capfd.readouterr().out.splitlines()]


def test_the_finished_folder_is_the_artifact(first_step, tmp_path, capfd):
    def work(folder, progress):
        progress.say("at work")
        write_text(folder / "data.txt", "data")

    first_step(work)
    for output in (tmp_path / "first", tmp_path / "second"):
        run("prepare", SPEC, str(tmp_path / "workspace"), inputs={}, output=str(output))
        assert (output / "data.txt").read_text() == "data"
        assert (output / "step.json").exists()
    (folder,) = (tmp_path / "workspace").iterdir()
    assert printed(capfd) == [Message("at work"), Message(f"prepare: reusing {folder}")]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("a.png: cut short"), "a.png: cut short"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "cannot write {}: No space left on device"),
    ],
)
def test_a_mistake_ends_in_one_line(first_step, tmp_path, capfd, error, line):
    def work(folder, progress):
        raise error

    first_step(work)
    with pytest.raises(SystemExit) as raised:
        run("prepare", SPEC, str(tmp_path / "workspace"), inputs={}, output=str(tmp_path / "output"))
    assert raised.value.code == 1
    assert printed(capfd) == [Mistake(line.format(tmp_path / "workspace"))]


def test_a_bug_keeps_its_traceback(first_step, tmp_path, capfd):
    def work(folder, progress):
        raise KeyError("no such thing")

    first_step(work)
    with pytest.raises(KeyError):
        run("prepare", SPEC, str(tmp_path / "workspace"), inputs={}, output=str(tmp_path / "output"))


def test_scores_reach_the_page_of_kfp(tmp_path: Path):
    EVALUATION.save(tmp_path / "evaluation.json")
    metrics, confusion = dsl.Metrics(), dsl.ClassificationMetrics()
    publish_scores(str(tmp_path), metrics, confusion)
    assert metrics.metadata["found_test_accuracy"] == 0.985
    assert metrics.metadata["num_test_examples"] == 359
    assert confusion.metadata["confusionMatrix"] == {
        "annotationSpecs": [{"displayName": "odd"}, {"displayName": "even"}],
        "rows": [{"row": [2, 0]}, {"row": [1, 1]}],
    }
