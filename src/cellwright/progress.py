"""How long work tells what it is doing, whoever watches: a terminal, a pod's log, or nobody."""

from collections.abc import Mapping
from typing import Protocol


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
