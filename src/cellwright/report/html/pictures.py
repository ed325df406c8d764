"""Sections with example pictures: the data, and errors of the found network."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from torch import Tensor

from cellwright.data.prepared import PreparedData
from cellwright.report.html.page import Picture, ReportPart, ReportSection
from cellwright.tasks.base import Task, read_task

SHOWN = 24
"""Number of pictures in a section."""


def sections(prepared: Path, outputs: Mapping[str, Tensor], found: str) -> Iterator[ReportSection]:
    """Yield the sections of a run whose inputs can be shown as pictures.

    Args:
        prepared: the folder of `prepare`.
        outputs: outputs of each network on the test split.
        found: name of the found network.
    """
    data = PreparedData.open(prepared)
    task = read_task(data.manifest.task)
    if task.picture(tuple(array[0] for array in data.train.inputs)) is None:
        return
    step = max(1, len(data.train) // SHOWN)
    samples = [
        _picture(task, data.train.inputs, row, "training example") for row in range(0, len(data.train), step)
    ]
    yield ReportSection(
        id="samples", title="Samples of the data", parts=[ReportPart(kind="pictures", pictures=samples)]
    )
    if found in outputs:
        worst = islice(task.wrong_outputs(outputs[found], data.test.targets), SHOWN)
        wrong = [_picture(task, data.test.inputs, row, caption) for row, caption in worst]
        text = "None of the test examples." if not wrong else "On the test split, the most confident first."
        parts = [ReportPart(kind="text", text=text), ReportPart(kind="pictures", pictures=wrong)]
        yield ReportSection(
            id="wrong-predictions", title="Wrong predictions of the found network", parts=parts
        )


def _picture(task: Task, inputs: tuple[Tensor, ...], row: int, caption: str) -> Picture:
    png = task.picture(tuple(array[row] for array in inputs))
    assert png is not None
    return Picture.of(png, caption)
