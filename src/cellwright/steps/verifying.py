"""Verifies the content of a run, a store or a registry against the digests recorded when it was created."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cellwright.errors import CellwrightError
from cellwright.files import files_below
from cellwright.results import FileRecord, FolderRecord, RegistrationResult, StepRecord, different
from cellwright.runners import step_location
from cellwright.steps.register import RETRAIN_TAG
from cellwright.stores import Store, finished
from cellwright.tensor_files import TENSORS
from cellwright.tracking import recorded_tags
from cellwright.training.checkpoint import load_tensors


class Verified(NamedTuple):
    """The result of verifying one finished folder or model."""

    location: str
    num_files: int
    problems: tuple[str, ...]


def verify_workspace(workspace: Path) -> Iterator[Verified]:
    """Verify every finished step of a workspace, the chain of its inputs, and the registered model.

    Raises:
        CellwrightError: there is no finished step.
    """
    records = _records(
        {path.parent.name: partial(StepRecord.load, path) for path in workspace.glob("*/step.json")},
        str(workspace),
    )
    for name, record in records.items():
        if isinstance(record, str):
            yield Verified(location=name, num_files=0, problems=(record,))
            continue
        folder = workspace / name
        problems = [
            *(f"{folder / file} must be there, as the record says, and is not" for file in record.files
              if not (folder / file).exists()),
            *(mistake for file, recorded in record.files.items() if (folder / file).exists()
              for mistake in _wrong(folder / file, f"{folder / file}", recorded)),
            *(f"{file} must be in the record of its folder, and is not" for file in files_below(folder)
              if file.relative_to(folder).as_posix() not in {*record.files, StepRecord.FILE}),
            *_chain(name, record, records),
        ]  # fmt: skip
        if (folder / RegistrationResult.FILE).exists() and not problems:
            problems += _registration(folder, record)
        yield Verified(location=name, num_files=len(record.files), problems=tuple(problems))


def verify_store(store: Store) -> Iterator[Verified]:
    """Verify every finished step of a store, the chain of its inputs, and every finished trial.

    Raises:
        CellwrightError: nothing in the store is finished.
    """
    steps = {name.partition("/")[0] for name in store.sizes(step_location("")[:-1])}
    records = _records(
        {name: partial(finished, store, step_location(name), StepRecord) for name in steps}, ""
    )
    for name, record in records.items():
        if isinstance(record, str):
            yield Verified(location=step_location(name), num_files=0, problems=(record,))
        else:
            problems = (*_stored(store, step_location(name), record), *_chain(name, record, records))
            yield Verified(location=step_location(name), num_files=len(record.files), problems=problems)
    suffix = f"/{FolderRecord.FILE}"
    for name in store.sizes("searches"):
        if not name.endswith(suffix):
            continue
        folder = f"searches/{name.removesuffix(suffix)}"
        try:
            trial = finished(store, folder, FolderRecord)
        except CellwrightError as error:
            yield Verified(location=folder, num_files=0, problems=(str(error),))
            continue
        if trial is not None:
            yield Verified(
                location=folder, num_files=len(trial.files), problems=tuple(_stored(store, folder, trial))
            )


Record = StepRecord | str
"""A record, or a message if it is damaged."""


def _records(loaders: Mapping[str, Callable[[], StepRecord | None]], location: str) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for name, load in sorted(loaders.items()):
        try:
            record = load()
        except CellwrightError as error:
            records[name] = str(error)
            continue
        if record is not None:
            is_its = f"{record.step}-{record.key}" == name
            records[name] = record if is_its else f"{name}: its record is of {record.step}-{record.key}"
    if not records:
        raise CellwrightError(f"{location or 'the store'} must hold finished steps, and holds none")
    return records


def _chain(name: str, record: StepRecord, records: Mapping[str, Record]) -> Iterator[str]:
    """Yield a message for each broken link from a step to its inputs."""
    for step, of_input in record.inputs.items():
        found = records.get(f"{step}-{of_input.key}")
        if found is None:
            yield f"{name}: its input {step}-{of_input.key} must be there, and is not"
        elif isinstance(found, StepRecord) and found.seal != of_input.seal:
            yield f"{name}: its input {step}-{of_input.key} must have the record {of_input.seal}, and has {found.seal}"


def _stored(store: Store, folder: str, record: FolderRecord) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cellwright-") as scratch:
        copy = Path(scratch) / "copy"
        for name, file in record.files.items():
            location = f"{folder}/{record.attempt}/{name}"
            try:
                store.get(location, copy)
            except CellwrightError as error:
                yield str(error)
                continue
            yield from _wrong(copy, location, file)


def _wrong(path: Path, location: str, recorded: FileRecord) -> Iterator[str]:
    """Yield a message if a file differs from its record, or its tensors from the digest in the file."""
    if (found := FileRecord.of(path)) != recorded:
        yield different(location, recorded, found)
    elif location.endswith(TENSORS):
        try:
            load_tensors(path)
        except CellwrightError as error:
            yield str(error).replace(f"{path}", location)


def _registration(folder: Path, record: StepRecord) -> Iterator[str]:
    """Yield a message for each problem of the registered version that the folder names."""
    registered = RegistrationResult.load(folder / RegistrationResult.FILE)
    address = f"models:/{registered.name}/{registered.version}"
    seal = record.inputs["retrain"].seal
    try:
        tags = recorded_tags(registered.tracking_uri, address)
    except CellwrightError as error:
        yield str(error)
        return
    if (found := tags.get(RETRAIN_TAG)) != seal:
        yield f"{address} must be of the retraining with the record {seal}, as its tag {RETRAIN_TAG} says, got {found}"
