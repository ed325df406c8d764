"""Sections with example pictures: the data, and errors of the found network."""

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from cellwright.data.mapped import MappedTensor
from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split
from cellwright.report.html.parts import Picture, ReportPart, ReportSection
from cellwright.spec.section import Section
from cellwright.tasks.base import Task

SHOWN = 24
"""Number of pictures in a section."""
AUGMENTED, VERSIONS = 8, 2
"""Number of examples that are shown augmented, and of augmented versions of each."""


def samples(task: Task, data: PreparedData, augmentation: Section | None) -> Iterator[ReportSection]:
    """Yield a section with training examples, if inputs can be shown as pictures.

    Args:
        task: the task of the data.
        data: whose training split is shown.
        augmentation: how examples are changed in training; None if that is not known yet.
    """
    if not _can_be_shown(task, data):
        return
    rows = list(range(0, len(data.train), max(1, len(data.train) // SHOWN)))[:SHOWN]
    shown = [
        _picture(task, data.train.inputs, row, task.format_target(data.train.targets[row])) for row in rows
    ]
    parts = [ReportPart(kind="pictures", pictures=shown)]
    if augmentation is not None:
        few = rows[:: max(1, len(rows) // AUGMENTED)][:AUGMENTED]
        text = "As the networks see them in training: each example, and next to it as it is augmented."
        seen = list(_augmented(task, data.train, few, augmentation))
        parts += [ReportPart(kind="text", text=text), ReportPart(kind="pictures", pictures=seen)]
    yield ReportSection(id="samples", title="Samples of the data", parts=parts)


def _augmented(task: Task, split: Split, rows: list[int], augmentation: Section) -> Iterator[Picture]:
    """Yield the picture of each row, followed by those of augmented versions."""
    raw = tuple(array[rows] for array in split.inputs)
    rng = torch.Generator().manual_seed(0)
    inputs = tuple(array if array.is_floating_point() else array.float() for array in raw)
    versions = [task.augment(inputs, augmentation, rng) for _ in range(VERSIONS)]
    restored = [
        tuple(_as_stored(array, before) for array, before in zip(version, raw, strict=True))
        for version in versions
    ]
    for number, row in enumerate(rows):
        name = task.format_target(split.targets[row])
        yield _picture(task, raw, number, name)
        yield from (_picture(task, version, number, f"{name}, augmented") for version in restored)


def _as_stored(array: Tensor, like: Tensor) -> Tensor:
    """Return the array with the stored type; bytes are rounded."""
    return array.round().clamp(0, 255).to(like.dtype) if like.dtype == torch.uint8 else array.to(like.dtype)


def mistakes(task: Task, data: PreparedData, outputs: Tensor) -> Iterator[ReportSection]:
    """Yield a section with the most confident mistakes, if inputs can be shown as pictures.

    Args:
        task: the task of the outputs.
        data: whose test split the outputs are for.
        outputs: of the found network, (N, …).
    """
    if not _can_be_shown(task, data):
        return
    worst, files = islice(task.wrong_outputs(outputs, data.test.targets), SHOWN), data.test_files
    wrong = [
        _picture(task, data.test.inputs, row, f"{caption}: {files[row]}" if files else caption)
        for row, caption in worst
    ]
    text = "None of the test examples." if not wrong else "On the test split, the most confident first."
    parts = [ReportPart(kind="text", text=text), ReportPart(kind="pictures", pictures=wrong)]
    yield ReportSection(id="wrong-predictions", title="Wrong predictions of the found network", parts=parts)


def _can_be_shown(task: Task, data: PreparedData) -> bool:
    return task.picture(tuple(array[0] for array in data.train.inputs)) is not None


def _picture(task: Task, inputs: tuple[Tensor | MappedTensor, ...], row: int, caption: str) -> Picture:
    png = task.picture(tuple(array[row] for array in inputs))
    assert png is not None
    return Picture.of(png, caption)
