"""How long work tells what it is doing, whoever watches: a terminal, a pod's log, or nobody."""

import time
from collections.abc import Mapping
from typing import Protocol

SECONDS_BETWEEN = 10.0
"""The least time between two reports from within epochs."""


class Progress(Protocol):
    """What a step calls while it works."""

    def say(self, message: str) -> None:
        """Tell one fact worth a line."""

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Tell that `done` of `total` parts of the task (epochs, say) are finished, and what was measured."""


class Silent:
    """Tells nobody."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Drop the progress."""


class EpochProgress:
    """Reports how far a training is within its epochs and how long it may still take, once in a while.

    Args:
        progress: is given the reports.
        task: what the training is called.
        epochs: in all.
        batches: of one epoch.
    """

    def __init__(self, progress: Progress, task: str, *, epochs: int, batches: int) -> None:
        self._progress = progress
        self._task = task
        self._epochs = epochs
        self._batches = batches
        self._num_timed = 0
        self._began = self._reported = 0.0

    def plan(self, num_done: int, num_examples: int) -> None:
        """Say what lies ahead after so many epochs."""
        done = f", {num_done} of them done" if num_done else ""
        self._progress.say(
            f"{self._task}: {self._epochs} epochs{done}, each of {self._batches} batches of {num_examples} examples"
        )

    def step(self, epoch: int, batch: int) -> None:
        """Take in that a batch of an epoch is done, both counted from 1."""
        now = time.monotonic()
        if not self._began:  # the first batch takes longer than others
            self._began = self._reported = now
            return
        self._num_timed += 1
        if now - self._reported < SECONDS_BETWEEN:
            return
        self._reported = now
        left = (self._epochs - epoch + 1) * self._batches - batch
        minutes = left * (now - self._began) / self._num_timed / 60
        position = {"batch": batch, "batches": self._batches, "minutes_left": round(minutes, 1)}
        self._progress.advance(self._task, epoch - 1, self._epochs, position)
