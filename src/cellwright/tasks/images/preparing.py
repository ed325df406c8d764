"""What the `prepare` step does: read, check, split, measure and write."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from cellwright.canonical import digest
from cellwright.data.duplicates import Keys, image_keys, num_contradictions, repeated, require_own_test
from cellwright.data.examples import Examples, Source
from cellwright.data.manifest import MANIFEST, DataManifest, Duplicates, SplitName
from cellwright.data.shards import write_shard
from cellwright.data.splitting import Part, split
from cellwright.errors import DataError
from cellwright.spec import DataSection, StoredData
from cellwright.tasks.images.reading import describe_source, read_source

CONSTANT = 1e-7
"""A spread below this share of the mean is what rounding leaves of none, in float32."""


def prepare(section: DataSection, folder: Path, say: Callable[[str], None]) -> DataManifest:
    """Write shards of three disjoint splits into the folder, then the manifest.

    A manifest that the folder held goes first: while there is none, the data there is not whole.

    Args:
        section: where the examples come from, and how they are split.
        folder: where to write; made if need be.
        say: is given facts, a line each.

    Raises:
        DataError: the source cannot be read or used; names the file and the rule.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    source = read_source(section, say)
    channels, height, width = source.examples.image_shape
    say(
        f"{describe_source(section)}: {len(source.examples.labels)} images of {channels}×{height}×{width} "
        f"in {len(source.class_names)} classes"
    )
    _require_examples(source, section.min_class_examples)
    keys = {examples: image_keys(examples) for examples in (source.examples, source.test) if examples}
    if source.test and isinstance(section, StoredData):
        require_own_test(section, source.examples, source.test, keys)
    parts, duplicates = _without_duplicates(split(source, section), keys, section, source.class_names, say)
    mean, std = _normalisation(parts["train"])
    hashes = {name: write_shard(folder, name, part) for name, part in parts.items()}
    manifest = DataManifest(
        num_classes=len(source.class_names),
        class_names=source.class_names,
        image_shape=source.examples.image_shape,
        dtype=cast(Literal["uint8", "float32"], str(source.examples.images.dtype)),
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        split_sizes={name: len(part.indices) for name, part in parts.items()},
        duplicates=duplicates,
        content_hash=digest(hashes),
        source=describe_source(section),
    )
    manifest.save(folder)
    say("split into " + ", ".join(f"{size} {name}" for name, size in manifest.split_sizes.items()))
    return manifest


def _require_examples(source: Source, least: int) -> None:
    for name, count in zip(source.class_names, np.bincount(source.examples.labels), strict=True):
        if count < least:
            raise DataError(
                f"{source.examples.origin}: class {name!r} must have at least {least} examples "
                f"(data.min_class_examples), got {count}"
            )


def _without_duplicates(
    parts: dict[SplitName, Part],
    keys_of: Mapping[Examples, Keys],
    section: DataSection,
    class_names: tuple[str, ...],
    say: Callable[[str], None],
) -> tuple[dict[SplitName, Part], Duplicates]:
    """Report the examples that stand in two splits, and drop them where the section says so."""
    keys = {name: keys_of[part.examples][part.indices] for name, part in parts.items()}
    if contradictions := num_contradictions(keys, parts):
        say(f"{contradictions} images stand with more than one label")
    marks = repeated(keys)
    drop = section.duplicates == "drop"
    for (first, second), mark in marks.items():
        if mark.any():
            outcome = f"dropped from {first}" if drop else "kept; data.duplicates: drop would drop them"
            say(f"{mark.sum()} images of {first} stand in {second} too: {outcome}")
    dropped = 0
    if drop:
        sizes = sum(len(part.indices) for part in parts.values())
        parts = {
            "train": parts["train"].without(marks["train", "validation"] | marks["train", "test"]),
            "validation": parts["validation"].without(marks["validation", "test"]),
            "test": parts["test"],
        }
        dropped = sizes - sum(len(part.indices) for part in parts.values())
        _require_every_class(parts, class_names)
    return parts, Duplicates(
        train_validation=int(marks["train", "validation"].sum()),
        train_test=int(marks["train", "test"].sum()),
        validation_test=int(marks["validation", "test"].sum()),
        dropped=dropped,
    )


def _require_every_class(parts: Mapping[SplitName, Part], class_names: tuple[str, ...]) -> None:
    for split_name, part in parts.items():
        absent = np.setdiff1d(np.arange(len(class_names)), part.labels)
        if absent.size:
            raise DataError(
                f"{part.examples.origin}: every split must have every class, but with duplicates dropped "
                f"{split_name} has none of class {class_names[absent[0]]!r}"
            )


def _normalisation(part: Part) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation per channel; 1 stands for that of a constant channel."""
    _, height, width = part.examples.image_shape
    num_pixels = len(part.indices) * height * width
    mean = sum(block.sum((0, 2, 3), np.float64) for block in part.blocks()) / num_pixels
    squares = sum(
        np.square(block - mean[:, np.newaxis, np.newaxis]).sum((0, 2, 3)) for block in part.blocks()
    )
    std = np.sqrt(squares / num_pixels)
    return mean, np.where(std > CONSTANT * np.abs(mean), std, 1.0)
