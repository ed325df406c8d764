"""Trials in the search's own process, for trials that are too short for separate processes."""

import time
from pathlib import Path
from typing import Self

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation
from cellwright.progress import Silent
from cellwright.runners import Key, Outcome, Runner, Trials
from cellwright.search.trial import run_trial
from cellwright.spec import SearchSpec


class InThisProcess(Runner):
    """Runs a trial when its end is waited for; the result is the same as in a separate process."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Key, Path]] = []

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> Self:
        """Build the runner, which has no settings."""
        return cls()

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Queue the trial."""
        self._waiting.append((key, folder))

    def wait(self) -> Outcome:
        """Run the first trial in the queue."""
        key, folder = self._waiting.pop(0)
        began, failure = time.monotonic(), None
        try:
            run_trial(folder, Silent())
        except CellwrightError as error:
            failure = str(error)
        return Outcome(key=key, seconds=time.monotonic() - began, failure=failure)

    def stop(self) -> None:
        """Empty the queue."""
        self._waiting.clear()
