"""The section on the balance of the data: how many examples of each class each split has."""

from collections import Counter
from collections.abc import Iterator

from cellwright.data.prepared import PreparedData
from cellwright.report.html.page import MOST_CLASSES
from cellwright.report.html.parts import ReportPart, ReportSection
from cellwright.tasks.base import Task
from cellwright.tasks.multi_label import MultiLabel


def sections(task: Task, data: PreparedData) -> Iterator[ReportSection]:
    """Yield the section, if targets are a few classes or labels."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    counts = {name: Counter(task.target_counts(split.targets)) for name, split in splits.items()}
    classes = list(dict.fromkeys(one for of_split in counts.values() for one in of_split))
    if not 1 < len(classes) <= MOST_CLASSES:
        return
    most = {name: max(1, *of_split.values()) for name, of_split in counts.items()}
    what = "label" if isinstance(task, MultiLabel) else "class"
    yield ReportSection(
        id="balance",
        title="Balance of the data",
        parts=[
            ReportPart(
                kind="table",
                caption=f"Examples of each {what}",
                columns=[what, *splits],
                rows=[[one, *(str(counts[name][one]) for name in splits)] for one in classes],
                shades=[[round(counts[name][one] / most[name], 3) for name in splits] for one in classes],
            )
        ],
    )
