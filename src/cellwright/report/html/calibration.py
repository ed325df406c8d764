"""The section on calibration: whether predictions are right as often as they say."""

from collections.abc import Iterator

from torch import Tensor

from cellwright.report.html import figures
from cellwright.report.html.parts import Figure, ReportPart, ReportSection
from cellwright.tasks.base import Task


def sections(task: Task, outputs: Tensor, targets: Tensor) -> Iterator[ReportSection]:
    """Yield the section, if the task has classes.

    Args:
        task: the task of the outputs.
        outputs: of the found network on the test split, (N, …).
        targets: of the test split, (N, …).
    """
    bins = task.reliability(outputs, targets)
    if not bins:
        return
    total = sum(count for *_, count in bins)
    error = sum(abs(sure - right) * count for sure, right, count in bins) / total
    gap = sum((sure - right) * count for sure, right, count in bins) / total
    direction = "more sure than it is right" if gap > 0 else "less sure than it is right"
    yield ReportSection(
        id="calibration",
        title="Calibration of the found network",
        parts=[
            ReportPart(
                kind="text",
                text=f"Expected calibration error (ECE) {error:.4f}: the mean distance of confidence and accuracy over "
                f"{len(bins)} bins of confidence, on {total} test examples. On average the network is {abs(gap):.4f} "
                f"{direction}.",
            ),
            ReportPart(
                kind="figures",
                figures=[
                    Figure(
                        svg=figures.reliability(bins, "Reliability diagram"),
                        caption="Reliability diagram: below the line, the network is too sure. Larger points have more "
                        "examples.",
                    )
                ],
            ),
            ReportPart(
                kind="table",
                caption="Bins of confidence",
                columns=["mean confidence", "accuracy", "examples"],
                rows=[[f"{sure:.3f}", f"{right:.3f}", str(count)] for sure, right, count in bins],
            ),
        ],
    )
