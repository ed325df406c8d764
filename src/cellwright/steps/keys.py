"""The keys of steps' folders, and which of them are finished; without torch, so that a finished run answers at once.

A key is a digest of everything that a step's result depends on: the keys of the spec that the step declares, the keys
of its inputs, and the code that it imports.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwright.canonical import digest
from cellwright.errors import CellwrightError
from cellwright.importing import load_object
from cellwright.results import StepRecord
from cellwright.spec import SearchSpec
from cellwright.spec.view import only, without
from cellwright.step_list import STEPS, Step
from cellwright.steps.code import code_digest
from cellwright.tracking.starting_models import with_registry

NAMED_FILES = 5
"""Maximum number of files in a message."""


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
        folder = workspace / f"{step.name}-{step_key(step, spec, step_settings(step, spec), records)}"
        if not (folder / StepRecord.FILE).exists():
            return None
        require_complete(folder)
        folders[step.name] = folder
    return folders


def step_key(
    step: Step, spec: SearchSpec, settings: Mapping[str, Any], records: Mapping[str, StepRecord]
) -> str:
    """Return the key of the step's folder, whose inputs have these records."""
    keys = {name: record.key for name, record in records.items()}
    return digest([step.name, step_code(step, spec), settings, keys])


def require_complete(folder: Path) -> None:
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
