"""What a run is doing and has found so far: steps, trials and tasks, as drawn while it runs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cellwright.progress import RUNNING, TimeLeft, Update
from cellwright.report.lines import Advance

MOST_TRIALS, MOST_METRICS = 8, 4
"""Maximum number of rows and of metrics in the table of trials."""
MOST_TASKS = 6


class Board:
    """Collects the events of a run. Its drawing fits on a screen, however many trials there are."""

    def __init__(self) -> None:
        self.steps: dict[str, Update] = {}
        self.trials: dict[str, Update] = {}
        self.tasks: dict[str, Advance] = {}
        self._time_left = TimeLeft()

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> Advance:
        """Take in the progress of a task, and return it with the time left."""
        self.tasks[task] = Advance(task, done, total, self._time_left.add(task, done, total, metrics))
        return self.tasks[task]

    def update(self, update: Update) -> Update:
        """Take in the state of a step or a trial, and return it with what was known before."""
        known = self.steps if update.part == "step" else self.trials
        if before := known.get(update.name):
            update = replace(
                update,
                metrics=update.metrics or before.metrics,
                score=before.score if update.score is None else update.score,
            )
        known[update.name] = update
        return update

    @property
    def best(self) -> Update | None:
        """Return the trial with the highest score, if there is one."""
        return next((trial for trial in self._ranked() if trial.score is not None), None)

    def draw(self) -> RenderableType:
        """Return the steps, the best trial so far, a table of the leading trials, and a bar for each task."""
        return Group(*self._parts())

    def _ranked(self) -> list[Update]:
        def rank(trial: Update) -> float:
            return float("inf") if trial.score is None else -trial.score

        return sorted(self.trials.values(), key=rank)

    def _parts(self) -> Iterator[RenderableType]:
        if self.steps:
            yield Text(", ".join(f"{step.name} {state_of(step)}" for step in self.steps.values()))
        if self.trials:
            yield self._table()
        if self.best:
            yield Text(f"best so far: {self.best.name}, {format_metrics(self.best.metrics)}", style="bold")
        for task in list(self.tasks.values())[-MOST_TASKS:]:
            yield _bar(task)
            others = {name: value for name, value in task.metrics.items() if name != "minutes_left"}
            if others:
                yield Padding(Text(format_metrics(others), style="dim"), (0, 0, 0, 2))

    def _table(self) -> Table:
        ranked = self._ranked()
        running = [trial for trial in ranked if trial.state == RUNNING][: MOST_TRIALS // 2]
        others = [trial for trial in ranked if trial not in running][: MOST_TRIALS - len(running)]
        names = list(dict.fromkeys(name for trial in ranked for name in trial.metrics))[:MOST_METRICS]
        left_out = len(ranked) - len(running) - len(others)
        table = Table(caption=f"and {left_out} more" if left_out else None, caption_justify="left")
        table.add_column("trial")
        table.add_column("state")
        for name in names:
            table.add_column(name.replace("_", " "), justify="right")
        for trial in ranked:
            if trial in running or trial in others:
                values = (f"{trial.metrics[name]:.4g}" if name in trial.metrics else "" for name in names)
                table.add_row(trial.name, trial.state, *values)
        return table


def state_of(update: Update) -> str:
    """Return the state, with the time that it took."""
    seconds = update.metrics.get("seconds")
    return update.state if seconds is None else f"{update.state} after {format_time(seconds)}"


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Return metrics in words, with four digits; the time left is last."""
    words = [
        f"{name.replace('_', ' ')} {value:.4g}" for name, value in metrics.items() if name != "minutes_left"
    ]
    if "minutes_left" in metrics:
        words.append(f"{format_time(60 * metrics['minutes_left'])} left")
    return ", ".join(words)


def format_time(seconds: float) -> str:
    """Return a time with the unit that suits it."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def _bar(task: Advance) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=max(14, len(task.task)))
    left = task.metrics.get("minutes_left")
    grid.add_row(
        Text(task.task),
        ProgressBar(total=max(task.total, 1), completed=task.done, width=24),
        f"{task.done}/{task.total}",
        "" if left is None else f"{format_time(60 * left)} left",
    )
    return grid
