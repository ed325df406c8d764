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
from typing import Any

import cellwright
from cellwright.canonical import digest
from cellwright.errors import CellwrightError
from cellwright.folders import claimed
from cellwright.importing import load_object
from cellwright.progress import Progress
from cellwright.results import InputRecord, StepRecord, new_attempt
from cellwright.spec import SearchSpec
from cellwright.spec.view import only, without
from cellwright.step_list import STEPS, Step
from cellwright.steps import Inputs
from cellwright.steps.code import code_digest
from cellwright.steps.live import logged_live
from cellwright.tensor_files import TENSORS
from cellwright.tracking.starting_models import with_registry
from cellwright.training import parallel

NAMED_FILES = 5
"""Maximum number of files in a message."""


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
    key = _key(step, spec, settings, records)
    folder = workspace / f"{step.name}-{key}"
    if parallel.broadcast((folder / StepRecord.FILE).exists()):
        _require_complete(folder)
        progress.log(f"{step.name}: reusing {folder}")
        return folder
    with hold(folder) if parallel.is_first() else nullcontext() as attempt:
        if parallel.broadcast((folder / StepRecord.FILE).exists()):
            progress.log(f"{step.name}: reusing what is there")
            return folder
        began = time.monotonic()
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
            ).save(folder / StepRecord.FILE)
    parallel.barrier()
    return folder


def finished_folders(spec: SearchSpec, workspace: Path) -> dict[str, Path] | None:
    """Return the finished folder of each step, by name; None if a step has work to do.

    Raises:
        CellwrightError: a finished folder lacks files; or the data cannot be read.
    """
    if not all(any(workspace.glob(f"{name}-*/{StepRecord.FILE}")) for name in STEPS):
        return None  # without reading the data for its key
    spec = with_registry(spec, workspace)
    folders: dict[str, Path] = {}
    for step in STEPS.values():
        records = {name: StepRecord.load(folders[name] / StepRecord.FILE) for name in step.inputs}
        folder = workspace / f"{step.name}-{_key(step, spec, step_settings(step, spec), records)}"
        if not (folder / StepRecord.FILE).exists():
            return None
        _require_complete(folder)
        folders[step.name] = folder
    return folders


def _key(step: Step, spec: SearchSpec, settings: Mapping[str, Any], records: Mapping[str, StepRecord]) -> str:
    keys = {name: record.key for name, record in records.items()}
    return digest([step.name, step_code(step, spec), settings, keys])


def _require_complete(folder: Path) -> None:
    """Check that no files of a finished folder are missing.

    Raises:
        CellwrightError: names the missing files.
    """
    problems = [*StepRecord.load(folder / StepRecord.FILE).incomplete(folder)]
    if problems:
        more = f"; and {len(problems) - NAMED_FILES} more" if len(problems) > NAMED_FILES else ""
        raise CellwrightError(
            f"{'; '.join(problems[:NAMED_FILES])}{more}: copy it again, or delete {folder} to do the step again"
        )


def _check_inputs(records: Mapping[str, StepRecord], inputs: Inputs) -> None:
    """Check the inputs' files against their records, except for tensors, which are checked whenever they are read."""
    for name, record in records.items():
        for problem in record.wrong(inputs[name], lambda file: not file.endswith(TENSORS)):
            raise CellwrightError(problem)


def step_view(step: Step, spec: SearchSpec) -> SearchSpec:
    """Return the spec with only the keys that the step reads or uses."""
    return only(without(spec, step.ignores), (*_read(step, spec), *step.uses))


def step_settings(step: Step, spec: SearchSpec) -> dict[str, Any]:
    """Return the settings that the step's result depends on, from the spec and from files that it names, as JSON."""
    decisive = without(spec, (*step.ignores, *step.uses))
    settings = only(decisive, _read(step, spec)).model_dump(mode="json", by_alias=True)
    if step.identity:
        settings |= load_object(step.identity)(step_view(step, spec))
    return settings


def step_code(step: Step, spec: SearchSpec) -> str:
    """Return a digest of the code that the step imports, including that of the spec's kinds."""
    decisive = only(without(spec, step.uses), _read(step, spec))
    parts = [*decisive.parts, spec.augment]  # names the task, whose code every step may call
    return code_digest(frozenset([step.run, *(path for part in parts for path in part.code)]))


def _read(step: Step, spec: SearchSpec) -> tuple[str, ...]:
    if "*" in step.reads:
        return tuple(type(spec).model_fields)
    return step.reads + (step.reads_with_trials if spec.has_trials else ())


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
