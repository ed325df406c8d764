"""Trials in the search's own process, where each is too short for a process of its own to pay."""

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
    """Runs a trial when its end is waited for; the result is that of a process of its own."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Key, Path]] = []

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> Self:
        """Return the runner, which needs to know nothing."""
        return cls()

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Note the trial."""
        self._waiting.append((key, folder))

    def wait(self) -> Outcome:
        """Run the trial that has waited longest."""
        key, folder = self._waiting.pop(0)
        began, failure = time.monotonic(), None
        try:
            run_trial(folder, Silent())
        except CellwrightError as error:
            failure = str(error)
        return Outcome(key=key, seconds=time.monotonic() - began, failure=failure)

    def stop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
