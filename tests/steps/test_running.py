import dataclasses
import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cellwright import tensor_files
from cellwright.errors import CellwrightError
from cellwright.progress import Silent
from cellwright.results import FileRecord, InputRecord, StepRecord
from cellwright.spec import Resources, Retrain, SearchSpec
from cellwright.step_list import STEPS, Step
from cellwright.steps import keys
from cellwright.steps.keys import step_settings, step_view
from cellwright.steps.running import run_step, run_until
from cellwright.training.checkpoint import save_tensors

NAME = __name__
DONE: list[str] = []
"""The steps that were done, in their order."""

COUNT = Step(
    name="count", help="", artifact="", run=f"{NAME}:write_seed", reads=("seed",), uses=("resources",)
)
READ = Step(name="read", help="", artifact="", run=f"{NAME}:note", inputs=("count",))


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    DONE.clear()


@pytest.fixture
def spec() -> SearchSpec:
    return SearchSpec.model_validate({"name": "a", "data": {"source": "digits"}})


def write_seed(spec, inputs, folder: Path, progress) -> None:
    DONE.append("count")
    (folder / "seed").write_text(f"{spec.seed} {spec.resources.cpu}")


def note(spec, inputs, folder: Path, progress) -> None:
    DONE.append("read")


def run(step: Step, spec: SearchSpec, workspace: Path, **inputs: Path) -> Path:
    return run_step(step, spec, inputs, workspace, Silent())


def test_a_finished_step_is_reused(spec: SearchSpec, tmp_path: Path):
    assert run(COUNT, spec, tmp_path) == run(COUNT, spec, tmp_path)
    assert DONE == ["count"]


def test_only_the_keys_that_it_reads_make_it_run_again(spec: SearchSpec, tmp_path: Path):
    run(COUNT, spec, tmp_path)
    run(COUNT, spec.model_copy(update={"name": "b", "resources": Resources(cpu="1")}), tmp_path)
    assert DONE == ["count"]
    run(COUNT, spec.model_copy(update={"seed": 1}), tmp_path)
    assert DONE == ["count", "count"]


def test_a_step_cannot_read_what_its_key_ignores(spec: SearchSpec, tmp_path: Path):
    step = dataclasses.replace(COUNT, reads=("name",))
    with pytest.raises(LookupError, match="SearchSpec.seed is read, and not in this view of the spec"):
        run(step, spec, tmp_path)


def test_what_is_ignored_within_a_section_is_in_neither_the_view_nor_the_key(spec: SearchSpec):
    other = spec.model_copy(update={"retrain": Retrain(start="models:/a@champion")})
    for name in ("baselines", "search"):
        assert step_settings(STEPS[name], spec) == step_settings(STEPS[name], other)
        with pytest.raises(LookupError, match=r"Retrain.start|SearchSpec.retrain"):
            assert step_view(STEPS[name], other).retrain.start


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_all_that_a_step_can_read_is_in_its_key_or_declared_to_be_without_effect(
    spec: SearchSpec, step: Step
):
    names = {key.partition(".")[0] for key in (*step.reads, *step.reads_with_trials, *step.uses)} - {"*"}
    assert names <= SearchSpec.model_fields.keys()
    view = step_view(step, spec).__dict__.keys()
    assert view == (
        SearchSpec.model_fields.keys() if "*" in step.reads else names - set(step.reads_with_trials)
    )


def test_changed_code_runs_the_step_again(spec: SearchSpec, tmp_path: Path, monkeypatch):
    run(COUNT, spec, tmp_path)
    monkeypatch.setattr(keys, "code_digest", lambda paths: "other")
    run(COUNT, spec, tmp_path)
    assert DONE == ["count", "count"]


def test_changed_inputs_run_the_step_again(spec: SearchSpec, tmp_path: Path):
    for seed in (0, 1, 1):
        counted = run(COUNT, spec.model_copy(update={"seed": seed}), tmp_path)
        run(READ, spec, tmp_path, count=counted)
    assert DONE == ["count", "read", "count", "read"]


def test_a_damaged_input_is_named_and_nothing_is_made_of_it(spec: SearchSpec, tmp_path: Path):
    counted = run(COUNT, spec, tmp_path)
    (counted / "seed").write_text("1 2")
    with pytest.raises(
        CellwrightError, match=r"count-\w+/seed must have .* bytes with the SHA-256 .*damaged"
    ):
        run(READ, spec, tmp_path, count=counted)
    assert DONE == ["count"]


@pytest.mark.parametrize(
    ("change", "has"), [(Path.unlink, "is not there"), (lambda file: file.write_text("0"), "has 1")]
)
def test_a_step_that_was_copied_in_part_is_named_with_its_files(
    spec: SearchSpec, tmp_path: Path, change, has
):
    counted = run(COUNT, spec, tmp_path)
    size = (counted / "seed").stat().st_size
    change(counted / "seed")
    rule = f"seed must have {size} bytes, as its record says, and {has}: copy it again, or delete {counted} to do"
    with pytest.raises(CellwrightError, match=rule):
        run(COUNT, spec, tmp_path)
    shutil.rmtree(counted)
    run(COUNT, spec, tmp_path)
    assert DONE == ["count", "count"]


def test_a_record_lists_the_files_and_continues_the_chain(spec: SearchSpec, tmp_path: Path):
    counted = run(COUNT, spec, tmp_path)
    record = StepRecord.load(counted / "step.json")
    assert record.files == {"seed": FileRecord.of(counted / "seed")}
    read = StepRecord.load(run(READ, spec, tmp_path, count=counted) / "step.json")
    assert read.inputs["count"] == InputRecord(key=record.key, seal=record.seal)


def write_tensors(spec, inputs, folder: Path, progress) -> None:
    save_tensors(folder / "weights.safetensors", {"weights": torch.zeros(100)})


def test_what_was_written_is_read_back_before_a_step_counts_as_finished(
    spec: SearchSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As on a disk that keeps other bytes than it is given."""

    def save_damaged(tensors, path: Path, metadata) -> None:
        save_file(tensors, path, metadata=metadata)
        damage(path)

    monkeypatch.setattr(tensor_files, "save_file", save_damaged)
    step = Step(name="write", help="", artifact="", run=f"{NAME}:write_tensors")
    with pytest.raises(CellwrightError, match=r"weights.safetensors must have the bytes that were written"):
        run(step, spec, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.name in ("step.json", "weights.safetensors")]


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\1")


def fail_first(spec, inputs, folder: Path, progress) -> None:
    if not (folder / "half").exists():
        (folder / "half").write_text("done")
        raise RuntimeError("cut off")


def test_a_failed_step_keeps_its_files_and_resumes(spec: SearchSpec, tmp_path: Path):
    step = Step(name="fail", help="", artifact="", run=f"{NAME}:fail_first")
    with pytest.raises(RuntimeError, match="cut off"):
        run(step, spec, tmp_path)
    folder = run(step, spec, tmp_path)
    assert json.loads((folder / "step.json").read_text())["step"] == "fail"


def test_an_unfinished_input_is_refused(spec: SearchSpec, tmp_path: Path):
    with pytest.raises(CellwrightError, match="step.json must hold a StepRecord"):
        run(READ, spec, tmp_path, count=tmp_path / "nowhere")


def test_two_processes_never_do_one_step_at_once(spec: SearchSpec, tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    began, finish = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(spec, tmp_path, began, finish))
    other.start()
    try:
        assert began.wait(30)
        with pytest.raises(CellwrightError, match="must be used by one process at a time"):
            run(WAIT, spec, tmp_path)
    finally:
        finish.set()
        other.join(30)
    assert run(WAIT, spec, tmp_path).is_dir()


def test_an_unknown_step_is_named(spec: SearchSpec, tmp_path: Path):
    with pytest.raises(CellwrightError, match="step must be one of prepare, search.*got 'serch'"):
        run_until("serch", spec, tmp_path, Silent())


def test_each_step_comes_after_its_inputs():
    names = list(STEPS)
    for step in STEPS.values():
        assert all(names.index(needed) < names.index(step.name) for needed in step.inputs)


WAIT = Step(name="wait", help="", artifact="", run=f"{NAME}:wait")
EVENTS: list = []
"""Set and waited for by the step that waits."""


def wait(spec, inputs, folder: Path, progress) -> None:
    if EVENTS:
        began, finish = EVENTS
        began.set()
        finish.wait(30)


def _hold(spec: SearchSpec, workspace: Path, began, finish) -> None:
    EVENTS[:] = [began, finish]
    run(WAIT, spec, workspace)
