"""What every runner is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from cellwright.evaluation import Evaluation

EVALUATION = "evaluation.json"
"""What a trial that ended well leaves in its folder."""
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
    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Begin the trial whose request is in the folder, where `evaluation.json` will be.

        Args:
            key: number and repeat of the trial; begun again after a kill, it is found where it still runs.
            folder: is complete when the trial has ended well.
            evaluation: what is evaluated; None for a whole one-shot search.
        """

    def pass_over(self, evaluation: Evaluation) -> None:  # noqa: B027 - most need not know
        """Take note of a suggestion that needs no trial, since it was left out before."""

    @abstractmethod
    def wait(self) -> Outcome:
        """Wait until a trial ends, and return how."""

    @abstractmethod
    def stop(self) -> None:
        """End what is running."""


def search_place(search: str) -> str:
    """Return a search's folder in a store."""
    return f"searches/{search}"


def trial_place(search: str, trial: str) -> str:
    """Return a trial's folder in a store."""
    return f"{search_place(search)}/trials/{trial}"


def step_place(folder: str) -> str:
    """Return the place in a store of a step's folder, whose name says what it holds."""
    return f"steps/{Path(folder).name}"
