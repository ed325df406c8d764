"""Progress on a terminal: a bar and the latest metrics for each task, below scrolling messages."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cellwright.report.terminal import visible


class LiveProgress:
    """A live display as a context manager; its last state stays on the terminal."""

    def __init__(self, console: Console) -> None:
        self._bars = _BarsWithMetrics(
            TextColumn("{task.description:<14}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def log(self, message: str) -> None:
        """Print the message above the bars."""
        self._bars.console.print(visible(message), markup=False, highlight=False, soft_wrap=True)

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Move the task's bar and show the metrics below it."""
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=total, completed=done, metrics={})
        self._bars.update(self._tasks[task], completed=done, total=total, metrics=dict(metrics))


class _BarsWithMetrics(Progress):
    def get_renderables(self) -> Iterable[RenderableType]:
        for task in self.tasks:
            yield self.make_tasks_table([task])
            metrics = (
                f"{name.replace('_', ' ')} {value:.4g}" for name, value in task.fields["metrics"].items()
            )
            if line := ", ".join(metrics):
                yield Padding(Text(line, style="dim"), (0, 0, 0, 2))
