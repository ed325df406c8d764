"""Runs steps so that they can be killed at any time: finished steps are reused, unfinished ones resume.

The name of a step's folder includes a key of everything that its result depends on: the keys of the spec that the step
declares (it cannot read others), the keys of its inputs, and the code that it imports. The folder is finished when it
contains `step.json`, which is written last.

With several processes (`training.parallel`), rank 0 owns the folder; the others take part or wait.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import cellwright
from cellwright.errors import CellwrightError
from cellwright.folders import claimed
from cellwright.importing import load_object
from cellwright.progress import RUNNING, Progress, Update
from cellwright.results import InputRecord, StepRecord, new_attempt
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS, Step
from cellwright.steps import Inputs
from cellwright.steps.keys import require_complete, step_key, step_settings, step_view
from cellwright.steps.live import logged_live
from cellwright.tensor_files import TENSORS
from cellwright.tracking.starting_models import with_registry
from cellwright.training import parallel


def run_step(
    step: Step,
    spec: SearchSpec,
    inputs: Inputs,
    workspace: Path,
    progress: Progress,
    hold: Callable[[Path], AbstractContextManager[str | None]] = claimed,
) -> Path:
    """Run the step if it is not finished, and return its finished folder in the workspace.

    Args:
        step: the step.
        spec: the spec; the step reads the sections that it declares.
        inputs: the step's input folders.
        workspace: parent of the step's folder.
        progress: receives progress reports.
        hold: locks the folder for this process. It may fill the folder with files stored elsewhere, and yields the name
            of the attempt, if there may be several.

    Raises:
        CellwrightError: an input is unfinished or damaged, or another process is running this step.
    """
    records = {name: StepRecord.load(inputs[name] / StepRecord.FILE) for name in step.inputs}
    spec = with_registry(spec, workspace)
    view = step_view(step, spec)
    settings = step_settings(step, spec)
    key = step_key(step, spec, settings, records)
    folder = workspace / f"{step.name}-{key}"
    if parallel.broadcast((folder / StepRecord.FILE).exists()):
        require_complete(folder)
        progress.log(f"{step.name}: reusing {folder}")
        return folder
    with hold(folder) if parallel.is_first() else nullcontext() as attempt:
        if parallel.broadcast((folder / StepRecord.FILE).exists()):
            progress.log(f"{step.name}: reusing what is there")
            return folder
        began = time.monotonic()
        progress.update(Update("step", step.name, RUNNING))
        if parallel.is_first():
            _check_inputs(records, inputs)
        if parallel.is_first() or step.is_shared:
            with logged_live(step, spec, inputs, folder, progress):
                load_object(step.run)(view, {name: inputs[name] for name in step.inputs}, folder, progress)
        if parallel.is_first():
            StepRecord(
                attempt=attempt or new_attempt(1),
                files=StepRecord.files_of(folder),
                step=step.name,
                key=key,
                inputs={
                    name: InputRecord(key=record.key, seal=record.seal) for name, record in records.items()
                },
                settings=settings,
                version=cellwright.__version__,
                seconds=time.monotonic() - began,
                gpus=spec.gpus_of(step.name),
            ).save(folder / StepRecord.FILE)
        progress.update(Update("step", step.name, "done", {"seconds": time.monotonic() - began}))
    parallel.barrier()
    return folder


def _check_inputs(records: Mapping[str, StepRecord], inputs: Inputs) -> None:
    """Check the inputs' files against their records, except for tensors, which are checked whenever they are read."""
    for name, record in records.items():
        for problem in record.wrong(inputs[name], lambda file: not file.endswith(TENSORS)):
            raise CellwrightError(problem)


def run_until(name: str, spec: SearchSpec, workspace: Path, progress: Progress) -> dict[str, Path]:
    """Run the step and all unfinished steps that it depends on; return the folders by step name.

    Raises:
        CellwrightError: the name is unknown, or a step cannot be run.
    """
    if name not in STEPS:
        raise CellwrightError(f"step must be one of {', '.join(STEPS)}, got {name!r}")
    folders: dict[str, Path] = {}
    for needed in _with_inputs(name):
        folders[needed] = run_step(STEPS[needed], spec, folders, workspace, progress)
    return folders


def _with_inputs(name: str) -> list[str]:
    needed = {name}
    for step in reversed(tuple(STEPS.values())):
        if step.name in needed:
            needed.update(step.inputs)
    return [step for step in STEPS if step in needed]
