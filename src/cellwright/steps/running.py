"""Running a step so that it can be killed at any moment: finished ones are reused, unfinished ones resume.

A step's folder is named by a key of all that its result depends on: the keys of the spec that it declares, which are
also all that it can read, the keys of its inputs, and the code that it imports. The folder counts as finished when it
holds `step.json`, which is written last.

Of several processes (`training.parallel`) the first has the folder; the others help it or wait.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import cellwright
from cellwright.canonical import digest
from cellwright.errors import CellwrightError
from cellwright.files import files_below
from cellwright.folders import claimed
from cellwright.importing import load_object
from cellwright.progress import Progress
from cellwright.results import FileRecord, InputRecord, StepRecord, new_attempt
from cellwright.spec import SearchSpec
from cellwright.spec.view import only, without
from cellwright.step_list import STEPS, Step
from cellwright.steps import Inputs
from cellwright.steps.code import code_digest
from cellwright.steps.live import logged_live
from cellwright.tracking.starting_models import with_registry
from cellwright.training import parallel
from cellwright.training.checkpoint import load_tensors

TENSORS = ".safetensors"
NAMED_FILES = 5
"""How many files a message names."""


def run_step(
    step: Step,
    spec: SearchSpec,
    inputs: Inputs,
    workspace: Path,
    progress: Progress,
    hold: Callable[[Path], AbstractContextManager[str | None]] = claimed,
) -> Path:
    """Return the step's finished folder in the workspace, doing what is left to do.

    Args:
        step: what to do.
        spec: whose sections it reads.
        inputs: the folders it reads.
        workspace: where its folder is, or will be.
        progress: told how far it is.
        hold: keeps the folder for this process, may fill it with what is known of it elsewhere, and gives the name of
            the attempt, where there may be several.

    Raises:
        CellwrightError: an input is not finished or damaged, or another process is at this step.
    """
    records = {name: StepRecord.load(inputs[name] / StepRecord.FILE) for name in step.inputs}
    spec = with_registry(spec, workspace)
    view = step_view(step, spec)
    settings = step_settings(step, spec)
    keys = {name: record.key for name, record in records.items()}
    key = digest([step.name, step_code(step, spec), settings, keys])
    folder = workspace / f"{step.name}-{key}"
    if parallel.broadcast((folder / StepRecord.FILE).exists()):
        _require_complete(folder)
        progress.say(f"{step.name}: reusing {folder}")
        return folder
    with hold(folder) if parallel.is_first() else nullcontext() as attempt:
        if parallel.broadcast((folder / StepRecord.FILE).exists()):
            progress.say(f"{step.name}: reusing what is there")
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
                files=_read_back(folder),
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


def _require_complete(folder: Path) -> None:
    """Refuse a finished folder that was copied or deleted in part.

    Raises:
        CellwrightError: names the files.
    """
    mistakes = [*StepRecord.load(folder / StepRecord.FILE).incomplete(folder)]
    if mistakes:
        more = f"; and {len(mistakes) - NAMED_FILES} more" if len(mistakes) > NAMED_FILES else ""
        raise CellwrightError(
            f"{'; '.join(mistakes[:NAMED_FILES])}{more}: copy it again, or delete {folder} to do the step again"
        )


def _check_inputs(records: Mapping[str, StepRecord], inputs: Inputs) -> None:
    """Compare the inputs' files with their records, but for tensors, which are compared whenever they are read."""
    for name, record in records.items():
        for mistake in record.wrong(inputs[name], lambda file: not file.endswith(TENSORS)):
            raise CellwrightError(mistake)


def _read_back(folder: Path) -> dict[str, FileRecord]:
    """Return what the folder holds, as the disk has it.

    A file of tensors is hashed twice, to compare it with its own digest and for the record: at the same time.
    """

    def compare() -> None:
        for file in files_below(folder):
            if file.name.endswith(TENSORS):
                load_tensors(file)

    with ThreadPoolExecutor(1) as other:
        compared = other.submit(compare)
        files = StepRecord.files_of(folder)
        compared.result()
    return files


def step_view(step: Step, spec: SearchSpec) -> SearchSpec:
    """Return the spec with nothing but what the step reads or uses."""
    return only(without(spec, step.ignores), (*_read(step, spec), *step.uses))


def step_settings(step: Step, spec: SearchSpec) -> dict[str, Any]:
    """Return what of the spec, and of what it names outside itself, the step's result depends on, as JSON."""
    decisive = without(spec, (*step.ignores, *step.uses))
    settings = only(decisive, _read(step, spec)).model_dump(mode="json", by_alias=True)
    if step.identity:
        settings |= load_object(step.identity)(step_view(step, spec))
    return settings


def step_code(step: Step, spec: SearchSpec) -> str:
    """Return a digest of the code that the step imports, with that of the kinds that the spec names."""
    decisive = only(without(spec, step.uses), _read(step, spec))
    parts = [*decisive.parts, spec.augment]  # which names the task, whose code every step may call
    return code_digest(frozenset([step.run, *(path for part in parts for path in part.code)]))


def _read(step: Step, spec: SearchSpec) -> tuple[str, ...]:
    if "*" in step.reads:
        return tuple(type(spec).model_fields)
    return step.reads + (step.reads_with_trials if spec.has_trials else ())


def run_until(name: str, spec: SearchSpec, workspace: Path, progress: Progress) -> dict[str, Path]:
    """Run the step and whatever it needs that is not finished; return the folders by step name.

    Raises:
        CellwrightError: the name is unknown, or a step cannot be done.
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
