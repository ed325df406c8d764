import json
import multiprocessing
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.progress import Silent
from cellwright.spec import SearchSpec
from cellwright.steps import STEPS, Step, run_step, run_until
from cellwright.steps import step as _step


@pytest.fixture
def spec() -> SearchSpec:
    return SearchSpec.model_validate({"name": "a", "data": {"source": "digits"}})


class Counting:
    """A step that counts its runs and writes the seed."""

    def __init__(self) -> None:
        self.runs = 0
        self.step = Step(name="count", inputs=(), settings=lambda spec: spec.seed, run=self.run)

    def run(self, spec, inputs, folder: Path, progress) -> None:
        self.runs += 1
        (folder / "seed").write_text(str(spec.seed))


@pytest.fixture
def counting() -> Counting:
    return Counting()


def run(step: Step, spec: SearchSpec, workspace: Path, **inputs: Path) -> Path:
    return run_step(step, spec, inputs, workspace, Silent())


def test_a_finished_step_is_reused(counting: Counting, spec: SearchSpec, tmp_path: Path):
    assert run(counting.step, spec, tmp_path) == run(counting.step, spec, tmp_path)
    assert counting.runs == 1


def test_settings_it_does_not_read_change_nothing(counting: Counting, spec: SearchSpec, tmp_path: Path):
    run(counting.step, spec, tmp_path)
    run(counting.step, spec.model_copy(update={"name": "b"}), tmp_path)
    assert counting.runs == 1
    run(counting.step, spec.model_copy(update={"seed": 1}), tmp_path)
    assert counting.runs == 2


def test_other_code_does_it_anew(counting: Counting, spec: SearchSpec, tmp_path: Path, monkeypatch):
    run(counting.step, spec, tmp_path)
    monkeypatch.setattr(_step, "code_version", lambda imports: "other")
    run(counting.step, spec, tmp_path)
    assert counting.runs == 2


def test_other_inputs_do_it_anew(counting: Counting, spec: SearchSpec, tmp_path: Path):
    runs = []
    reader = Step(
        name="read",
        inputs=("count",),
        settings=lambda spec: None,
        run=lambda *arguments: runs.append(arguments),
    )
    for seed in (0, 1, 1):
        counted = run(counting.step, spec.model_copy(update={"seed": seed}), tmp_path)
        run(reader, spec, tmp_path, count=counted)
    assert len(runs) == 2


def test_a_step_that_failed_keeps_its_files_and_goes_on(spec: SearchSpec, tmp_path: Path):
    def fail_first(spec, inputs, folder: Path, progress) -> None:
        if not (folder / "half").exists():
            (folder / "half").write_text("done")
            raise RuntimeError("cut off")

    step = Step(name="fail", inputs=(), settings=lambda spec: None, run=fail_first)
    with pytest.raises(RuntimeError, match="cut off"):
        run(step, spec, tmp_path)
    folder = run(step, spec, tmp_path)
    assert json.loads((folder / "step.json").read_text())["step"] == "fail"


def test_an_unfinished_input_is_refused(counting: Counting, spec: SearchSpec, tmp_path: Path):
    reader = Step(name="read", inputs=("count",), settings=lambda spec: None, run=lambda *arguments: None)
    with pytest.raises(CellwrightError, match="step.json must hold a StepRecord"):
        run(reader, spec, tmp_path, count=tmp_path / "nowhere")


def test_two_processes_never_do_one_step_at_once(spec: SearchSpec, tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    began, finish = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(spec, tmp_path, began, finish))
    other.start()
    try:
        assert began.wait(30)
        with pytest.raises(CellwrightError, match="must be used by one process at a time"):
            run(_waiting_step(), spec, tmp_path)
    finally:
        finish.set()
        other.join(30)
    assert run(_waiting_step(), spec, tmp_path).is_dir()


def test_an_unknown_step_is_named(spec: SearchSpec, tmp_path: Path):
    with pytest.raises(CellwrightError, match="step must be one of prepare, search.*got 'serch'"):
        run_until("serch", spec, tmp_path, Silent())


def test_each_step_comes_after_its_inputs():
    names = list(STEPS)
    for step in STEPS.values():
        assert all(names.index(needed) < names.index(step.name) for needed in step.inputs)


def _waiting_step(began=None, finish=None) -> Step:
    def wait(spec, inputs, folder: Path, progress) -> None:
        if began is not None:
            began.set()
            finish.wait(30)

    return Step(name="wait", inputs=(), settings=lambda spec: None, run=wait)


def _hold(spec: SearchSpec, workspace: Path, began, finish) -> None:
    run(_waiting_step(began, finish), spec, workspace)
