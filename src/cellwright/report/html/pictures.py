"""Sections with example pictures: the data, and errors of the found network."""

from collections.abc import Iterator
from itertools import islice

from torch import Tensor

from cellwright.data.prepared import PreparedData
from cellwright.report.html.page import Picture, ReportPart, ReportSection
from cellwright.tasks.base import Task

SHOWN = 24
"""Number of pictures in a section."""


def samples(task: Task, data: PreparedData) -> Iterator[ReportSection]:
    """Yield a section with training examples, if inputs can be shown as pictures."""
    if not _can_be_shown(task, data):
        return
    rows = range(0, len(data.train), max(1, len(data.train) // SHOWN))
    shown = [_picture(task, data.train.inputs, row, task.spell(data.train.targets[row])) for row in rows]
    yield ReportSection(
        id="samples", title="Samples of the data", parts=[ReportPart(kind="pictures", pictures=shown)]
    )


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


def _picture(task: Task, inputs: tuple[Tensor, ...], row: int, caption: str) -> Picture:
    png = task.picture(tuple(array[row] for array in inputs))
    assert png is not None
    return Picture.of(png, caption)
