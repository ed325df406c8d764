"""A runner of one's own: trials in the search's own process, one after the other."""

import time
from pathlib import Path
from typing import ClassVar, Self

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation
from cellwright.progress import Silent
from cellwright.runners import Key, Outcome, Runner, Trials
from cellwright.spec import RunnerSection, SearchSpec


class InProcessSection(RunnerSection):
    """What a spec says: `runner: {kind: "my_package.runners:InProcessSection"}`."""

    implementation: ClassVar[str] = "my_package.runners:InProcess"


class InProcess(Runner):
    """Runs a trial when its end is waited for, without the start of a process."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Key, Path]] = []

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> Self:
        """Return the runner; trials need nothing but their folders."""
        return cls()

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Note the trial."""
        self._waiting.append((key, folder))

    def wait(self) -> Outcome:
        """Run the trial that has waited longest."""
        from cellwright.search.trial import run_trial

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
