"""Progress reports of long-running work, shown in a terminal or written to a pod's log."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

SECONDS_BETWEEN = 10.0
"""Minimum time between two reports within an epoch."""


PLANNED, RUNNING = "planned", "running"
"""States in which nothing is known yet."""


@dataclass(frozen=True, slots=True)
class Update:
    """The state of a step of the run, or of a trial of a search."""

    part: Literal["step", "trial"]
    name: str
    state: str
    """Such as running, done or failed."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What was measured; if empty, what was reported before is still valid."""
    score: float | None = None
    """By which trials are ranked, higher is better; if None, what was reported before is still valid."""


class Progress(Protocol):
    """Receives the progress reports of a step."""

    def log(self, message: str) -> None:
        """Report a message of one line."""

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Report that `done` of `total` units of a task (such as epochs) are finished, with their metrics."""

    def update(self, update: Update) -> None:
        """Report the state of a step or a trial."""


class Silent:
    """Discards all reports."""

    def log(self, message: str) -> None:
        """Discard the message."""

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Discard the progress."""

    def update(self, update: Update) -> None:
        """Discard the state."""


class TimeLeft:
    """Estimates how long the rest of each task takes, from the time since its first report."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, int]] = {}

    def add(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Return the metrics of a report with `minutes_left`, if they lack it and it is known."""
        now = time.monotonic()
        began, first = self._first.setdefault(task, (now, done))
        if done < first:  # it was started again
            self._first[task] = now, done
        if "minutes_left" in metrics or not first < done < total:
            return metrics
        minutes = (now - began) / (done - first) * (total - done) / 60
        return {**metrics, "minutes_left": round(minutes, 2)}


class EpochProgress:
    """Reports the position of a training within its epochs, and the estimated time left, at most every 10 seconds.

    Args:
        progress: receives the reports.
        task: name of the training.
        epochs: total number of epochs.
        batches: number of batches in an epoch.
    """

    def __init__(self, progress: Progress, task: str, *, epochs: int, batches: int) -> None:
        self._progress = progress
        self._task = task
        self._epochs = epochs
        self._batches = batches
        self._num_timed = 0
        self._began: float | None = None
        self._reported = time.monotonic()

    def plan(self, num_done: int, num_examples: int) -> None:
        """Report the number of epochs, how many of them are done, and their size."""
        done = f", {num_done} of them done" if num_done else ""
        self._progress.log(
            f"{self._task}: {self._epochs} epochs{done}, each of {self._batches} batches of {num_examples} examples"
        )

    def step(self, epoch: int, batch: int) -> None:
        """Record that a batch is finished; `epoch` and `batch` count from 1."""
        now = time.monotonic()
        if self._began is None:  # the first batch includes warm-up
            self._began = now
        else:
            self._num_timed += 1
        if now - self._reported < SECONDS_BETWEEN:
            return
        self._reported = now
        position: dict[str, float] = {"batch": batch, "batches": self._batches}
        if self._num_timed:
            left = (self._epochs - epoch + 1) * self._batches - batch
            minutes = left * (now - self._began) / self._num_timed / 60
            position["minutes_left"] = round(minutes, 1)
        self._progress.advance(self._task, epoch - 1, self._epochs, position)
