"""The section on the balance of the data: how many examples of each class each split has."""

from collections import Counter
from collections.abc import Iterator

from cellwright.data.prepared import PreparedData
from cellwright.report.html.page import MOST_CLASSES
from cellwright.report.html.parts import ReportPart, ReportSection
from cellwright.tasks.base import Task


def sections(task: Task, data: PreparedData) -> Iterator[ReportSection]:
    """Yield the section, if targets are a few classes."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    if any(split.targets.is_floating_point() or split.targets.ndim > 1 for split in splits.values()):
        return
    counts = {name: Counter(split.targets.tolist()) for name, split in splits.items()}
    classes = sorted(set().union(*counts.values()))
    if not 1 < len(classes) <= MOST_CLASSES:
        return
    most = {name: max(of_split.values(), default=1) for name, of_split in counts.items()}
    yield ReportSection(
        id="balance",
        title="Balance of the data",
        parts=[
            ReportPart(
                kind="table",
                caption="Examples of each class",
                columns=["class", *splits],
                rows=[
                    [
                        task.format_target(data.train.targets.new_tensor(one)),
                        *(str(counts[name][one]) for name in splits),
                    ]
                    for one in classes
                ],
                shades=[[round(counts[name][one] / most[name], 3) for name in splits] for one in classes],
            )
        ],
    )
