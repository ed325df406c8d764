import errno
import json
import os
from pathlib import Path

import pytest
from kfp import dsl

from cellwright.errors import DataError
from cellwright.files import write_text
from cellwright.progress import Update
from cellwright.report.lines import ErrorMessage, Message, read_line
from cellwright.report.page import evaluate_metrics, evaluate_page
from cellwright.spec import StoreSection, pack_spec, parse_spec
from cellwright.steps import prepare
from cellwright.stores import open_store
from cellwright_components.running import end, publish_confusion, run
from tests.report.results import EVALUATION

FAKE = parse_spec('{"name": "fake", "data": {"source": "digits"}}')
SPEC = pack_spec(FAKE)


@pytest.fixture
def first_step(monkeypatch):
    """Put a function in the place of what prepare does."""

    def replace(function):
        monkeypatch.setattr(prepare, "prepare", lambda spec, inputs, *rest: function(*rest))

    return replace


def artifact(path: Path) -> dsl.Artifact:
    """An artifact whose place on this machine is the path, as kfp's local runner gives it."""
    return dsl.Artifact(uri=str(path))


def printed(capfd) -> list[object]:
    """Return the events that were printed, without the states of steps."""
    events = map(read_line, capfd.readouterr().out.splitlines())
    return [event for event in events if not isinstance(event, Update)]


def test_the_finished_folder_is_the_artifact(first_step, tmp_path, capfd):
    def work(folder, progress):
        progress.log("at work")
        write_text(folder / "data.txt", "data")

    first_step(work)
    for output in (tmp_path / "first", tmp_path / "second"):
        run("prepare", SPEC, str(tmp_path / "workspace"), "run", inputs={}, output=artifact(output))
        assert (output / "data.txt").read_text() == "data"
        assert (output / "step.json").exists()
    (folder,) = (tmp_path / "workspace").glob("prepare-*")
    assert printed(capfd) == [Message("at work"), Message(f"prepare: reusing {folder}")]


def test_without_a_workspace_the_artifact_is_all_there_is(first_step, tmp_path):
    first_step(lambda folder, progress: write_text(folder / "data.txt", "data"))
    run("prepare", SPEC, "", "run", inputs={}, output=artifact(tmp_path / "output"))
    assert (tmp_path / "output" / "data.txt").read_text() == "data"


def test_in_a_store_the_artifact_names_the_other_files(first_step, tmp_path, capfd):
    def work(folder, progress):
        progress.log("at work")
        write_text(folder / "data.txt", "data")
        write_text(folder / "manifest.json", "{}")

    first_step(work)
    spec = FAKE.model_copy(update={"store": StoreSection(uri=str(tmp_path / "volume"), claim="volume")})
    for name in ("first", "second"):
        output = artifact(tmp_path / name)
        run("prepare", pack_spec(spec), "", name, inputs={}, output=output)
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["manifest.json", "step.json"]
        place = Path(output.metadata["place"])
        assert place.parent == tmp_path / "volume" / "steps"
        assert [path.read_text() for path in place.glob("*/data.txt")] == ["data"]
    assert printed(capfd) == [Message("at work"), Message("prepare: reusing what is there")]


@pytest.mark.parametrize(
    "change",
    [lambda word: word[:-4], lambda word: word.replace(".", ".e", 1), lambda word: "{}", lambda word: ""],
)
def test_a_spec_that_was_changed_on_its_way_is_refused(first_step, tmp_path, capfd, change):
    with pytest.raises(SystemExit):
        run("prepare", change(SPEC), str(tmp_path), "run", inputs={}, output=artifact(tmp_path / "output"))
    (line,) = printed(capfd)
    assert isinstance(line, ErrorMessage) and "it was changed on its way" in line.text


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("a.png: cut short"), "a.png: cut short"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "cannot write {}: No space left on device"),
    ],
)
def test_an_error_is_one_line(first_step, tmp_path, capfd, error, line):
    def work(folder, progress):
        raise error

    first_step(work)
    workspace = str(tmp_path / "workspace")
    with pytest.raises(SystemExit) as raised:
        run("prepare", SPEC, workspace, "run", inputs={}, output=artifact(tmp_path / "output"))
    assert raised.value.code == 1
    assert printed(capfd) == [ErrorMessage(line.format(workspace))]


def test_a_bug_keeps_its_traceback(first_step, tmp_path, capfd):
    def work(folder, progress):
        raise KeyError("no such thing")

    first_step(work)
    workspace = str(tmp_path / "workspace")
    with pytest.raises(KeyError):
        run("prepare", SPEC, workspace, "run", inputs={}, output=artifact(tmp_path / "output"))


def test_scores_reach_the_page_of_kfp(tmp_path: Path):
    EVALUATION.save(tmp_path / "evaluation.json")
    metrics = evaluate_metrics(tmp_path)
    assert metrics["found_test_accuracy"] == 0.985
    assert metrics["num_test_examples"] == 359
    page = evaluate_page(tmp_path, 3)
    assert "On 359 test examples, which nothing else has seen; seed 3." in page
    confusion = dsl.ClassificationMetrics()
    publish_confusion(artifact(tmp_path), confusion)
    assert confusion.metadata["confusionMatrix"] == {
        "annotationSpecs": [{"displayName": "odd"}, {"displayName": "even"}],
        "rows": [{"row": [2, 0]}, {"row": [1, 1]}],
    }


def test_the_end_frees_what_a_run_held_in_the_store(tmp_path: Path, capfd):
    spec = pack_spec(FAKE.model_copy(update={"store": StoreSection(uri=str(tmp_path), claim="volume")}))
    store = open_store(str(tmp_path))
    store.swap("leases/a", json.dumps({"owner": "run", "version": "1"}), None)
    for state in ("COMPLETE", "SUCCEEDED"):
        end(spec, "run", state)
    assert json.loads((tmp_path / "leases" / "a").read_text())["owner"] == "run"
    end(spec, "run", "FAILED")
    assert json.loads((tmp_path / "leases" / "a").read_text())["owner"] is None
    assert printed(capfd) == [
        Message("pipeline: complete"),
        Message("pipeline: succeeded"),
        Message("pipeline: failed"),
    ]
