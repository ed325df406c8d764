"""What every runner is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

Key = tuple[int, int]
"""Number and repeat of an evaluation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a trial ended."""

    key: Key
    seconds: float
    failure: str | None
    """Why it failed; None where it did not, and its folder holds what it found."""


class Runner(ABC):
    """Where trials run."""

    @abstractmethod
    def start(self, key: Key, folder: Path) -> None:
        """Begin the trial whose request is in the folder, where `evaluation.json` will be."""

    @abstractmethod
    def wait(self) -> Outcome:
        """Wait until a trial ends, and return how."""

    @abstractmethod
    def stop(self) -> None:
        """End what is running."""
