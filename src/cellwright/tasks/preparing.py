"""The `prepare` step: reads, checks, splits, measures and writes the data."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from cellwright.canonical import digest
from cellwright.data.duplicates import (
    Keys,
    example_keys,
    num_contradictions,
    repeated,
    require_own_test,
    require_own_validation,
)
from cellwright.data.examples import Array, Examples, Source
from cellwright.data.joined import Joined
from cellwright.data.manifest import (
    MANIFEST,
    TEST_FILES,
    ArrayForm,
    DataManifest,
    Duplicates,
    SplitName,
)
from cellwright.data.reading import Scratch, build_reader, describe_source
from cellwright.data.shards import shard_size, write_split
from cellwright.data.splitting import Part, split
from cellwright.errors import BrokenFilesError, DataError
from cellwright.files import write_text
from cellwright.spec import DataSection, StoredData
from cellwright.tasks.base import task_type

BROKEN = "broken.txt"
"""The file that lists unusable files, one per line with the reason."""
SCRATCH = ".scratch"
"""Subfolder for what the reader of a killed `prepare` need not do again; hidden, so that stores do not copy it."""


def prepare(
    section: DataSection, folder: Path, log: Callable[[str], None], *, num_processes: int = 1
) -> DataManifest:
    """Write the shards of three disjoint splits into the folder, then the manifest.

    An existing manifest is deleted first, since data without a manifest is incomplete.

    Args:
        section: the data source, and how to split it.
        folder: the output folder; created if it does not exist.
        log: receives messages of one line.
        num_processes: how many processes may read the source at a time.

    Raises:
        DataError: the source is unreadable or unusable; the message names the file and the rule.
    """
    scratch = Scratch(folder=folder / SCRATCH, num_processes=num_processes)
    try:
        manifest = _prepare(section, folder, scratch, log)
    except DataError:
        shutil.rmtree(scratch.folder, ignore_errors=True)
        raise
    shutil.rmtree(scratch.folder, ignore_errors=True)
    return manifest


def _prepare(
    section: DataSection, folder: Path, scratch: Scratch, log: Callable[[str], None]
) -> DataManifest:
    (folder / MANIFEST).unlink(missing_ok=True)
    kind = task_type(section.task_kind)
    source = _read(section, folder, scratch, log)
    kind.check(source, section)
    keys = {examples: example_keys(examples) for examples in (source.examples, source.test) if examples}
    if source.test and isinstance(section, StoredData):
        require_own_test(section, source.examples, source.test, keys)
    parts = split(source, section, kind.strata(source))
    if source.assigned is not None:
        require_own_validation(
            source.examples.origin, {name: keys[p.examples][p.indices] for name, p in parts.items()}
        )
    parts, duplicates = _without_duplicates(parts, keys, section, log)
    kind.check_splits(source, parts)
    task = kind.of(section.task_kind, source, parts["train"]).weighted(section, parts["train"])
    log(f"{describe_source(section)}: {len(source.examples)} examples; {task.summary}")
    for remark in (*kind.remarks(source), *task.warnings(source, parts)):
        log(remark)
    files = parts["test"].files
    parts = {name: task.encode(source, part) for name, part in parts.items()}
    size = shard_size(parts.values())
    hashes = {name: write_split(folder, name, part, size) for name, part in parts.items()}
    write_text(folder / TEST_FILES, json.dumps(files, ensure_ascii=False))
    manifest = DataManifest(
        task=task.model_dump(mode="json"),
        inputs={name: _form(parts["train"].examples.inputs[name]) for name in task.input_names},
        targets=_form(source.examples.targets),
        split_sizes={name: len(part) for name, part in parts.items()},
        shard_size=size,
        duplicates=duplicates,
        content_hash=digest(hashes),
        source=describe_source(section),
    )
    manifest.save(folder)
    log("split into " + ", ".join(f"{size} {name}" for name, size in manifest.split_sizes.items()))
    return manifest


def _read(section: DataSection, folder: Path, scratch: Scratch, log: Callable[[str], None]) -> Source:
    """Read the source, and list its unusable files."""
    broken = folder / BROKEN
    broken.unlink(missing_ok=True)
    reader = build_reader(section)
    reader.scratch = scratch
    try:
        source = reader.read(log)
    except BrokenFilesError as error:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(broken, "".join(f"{file}\n" for file in error.files))
        raise DataError(f"{error}; all are listed in {broken}") from error
    if source.skipped:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(broken, "".join(f"{file}\n" for file in source.skipped))
        log(f"{len(source.skipped)} files are left out, since they cannot be used; {broken} lists them")
    return source


def _form(array: Array | Joined) -> ArrayForm:
    return ArrayForm(shape=array.shape[1:], dtype=str(array.dtype))


def _without_duplicates(
    parts: dict[SplitName, Part],
    keys_of: Mapping[Examples, Keys],
    section: DataSection,
    log: Callable[[str], None],
) -> tuple[dict[SplitName, Part], Duplicates]:
    """Report examples that are in two splits, and drop them if the section says so."""
    keys = {name: keys_of[part.examples][part.indices] for name, part in parts.items()}
    if contradictions := num_contradictions(keys, parts):
        log(f"{contradictions} examples have more than one target")
    marks = repeated(keys)
    drop = section.duplicates == "drop"
    for (first, second), mark in marks.items():
        if mark.any():
            outcome = f"dropped from {first}" if drop else "kept; data.duplicates: drop would drop them"
            log(f"{mark.sum()} examples of {first} are in {second} too: {outcome}")
    dropped = 0
    if drop:
        sizes = sum(map(len, parts.values()))
        parts = {
            "train": parts["train"].without(marks["train", "validation"] | marks["train", "test"]),
            "validation": parts["validation"].without(marks["validation", "test"]),
            "test": parts["test"],
        }
        dropped = sizes - sum(map(len, parts.values()))
    return parts, Duplicates(
        train_validation=int(marks["train", "validation"].sum()),
        train_test=int(marks["train", "test"].sum()),
        validation_test=int(marks["validation", "test"].sum()),
        dropped=dropped,
    )
