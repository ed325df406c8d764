"""Trials as local processes."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Self

import psutil

from cellwright.evaluation import Evaluation
from cellwright.report.lines import ErrorMessage, read_line
from cellwright.runners.base import Key, Outcome, Runner, Trials
from cellwright.spec import SearchSpec
from cellwright.spec.platform import Memory, count_bytes
from cellwright.spec.runner import RunnerSection

LOG = "trial.log"
TRIAL = (sys.executable, "-m", "cellwright", "trial", "--tethered")
POLL_SECONDS = 0.05
MEMORY_SECONDS = 0.5
"""Interval between measurements of a trial's memory, each of which lists all processes of the machine."""
LOG_TAIL = 8000


class LocalSection(RunnerSection):
    """Trials are local processes, each with an equal share of the step's CPUs."""

    implementation = "cellwright.runners.local:LocalRunner"

    kind: Literal["local"] = "local"
    max_memory: Memory | None = None
    """Memory limit of a trial: the resident memory of its process and all its child processes."""

    @property
    def limits(self) -> dict[str, Any]:
        """Return the limits of trials, which determine what fails."""
        return super().limits | {"max_memory": self.max_memory}

    @property
    def max_memory_bytes(self) -> int | None:
        """Return the memory limit in bytes."""
        return None if self.max_memory is None else count_bytes(self.max_memory)


@dataclass(kw_only=True, slots=True)
class _Running:
    key: Key
    folder: Path
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]
    began: float
    measured: float = 0.0
    """Time of the last memory measurement, in seconds since the start."""


class LocalRunner(Runner):
    """Runs each trial in a separate process, which ends when this process does.

    A trial is killed together with its child processes.

    Args:
        max_seconds: time limit of a trial.
        max_memory: limit of a trial's resident memory in bytes, including child processes.
        command: the command to run; the trial's folder is appended.
    """

    def __init__(
        self,
        *,
        max_seconds: float | None = None,
        max_memory: int | None = None,
        command: Sequence[str] = TRIAL,
    ) -> None:
        self.max_seconds = max_seconds
        self.max_memory = max_memory
        self.command = command
        self._running: list[_Running] = []

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> Self:
        """Build the runner with the spec's limits."""
        assert isinstance(spec.runner, LocalSection)
        return cls(max_seconds=spec.runner.max_seconds, max_memory=spec.runner.max_memory_bytes)

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Start the trial whose request is in the folder."""
        log = (folder / LOG).open("wb")
        process = subprocess.Popen(
            [*self.command, str(folder)],
            stdin=subprocess.PIPE,  # closes when this process ends, which the trial notices
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running.append(
            _Running(key=key, folder=folder, process=process, log=log, began=time.monotonic())
        )

    def wait(self) -> Outcome:
        """Wait until a trial ends, and return its outcome."""
        while True:
            for trial in self._running:
                seconds = time.monotonic() - trial.began
                code = trial.process.poll()
                failure = self._excess(trial, seconds) if code is None else _failure(trial, code)
                if code is not None or failure is not None:
                    self._end(trial)
                    return Outcome(key=trial.key, seconds=seconds, failure=failure)
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Kill all running trials."""
        for trial in list(self._running):
            self._end(trial)

    def _end(self, trial: _Running) -> None:
        for process in _processes(trial.process):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        trial.process.communicate()
        trial.log.close()
        self._running.remove(trial)

    def _excess(self, trial: _Running, seconds: float) -> str | None:
        if self.max_seconds is not None and seconds > self.max_seconds:
            return f"took longer than runner.max_seconds, {self.max_seconds:g} s"
        if self.max_memory is not None and seconds - trial.measured > MEMORY_SECONDS:
            trial.measured = seconds
            used = sum(map(_resident_bytes, _processes(trial.process)))
            if used > self.max_memory:
                return f"used {used / 2**20:.0f} MiB, more than runner.max_memory, {self.max_memory / 2**20:.0f} MiB"
        return None


def _failure(trial: _Running, code: int) -> str | None:
    if code == 0:
        return None
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = (trial.folder / LOG).read_bytes()[-LOG_TAIL:].decode(errors="replace").strip().splitlines()
    problems = [event.text for event in map(read_line, lines) if isinstance(event, ErrorMessage)]
    return problems[-1] if problems else (lines[-1] if lines else f"exit code {code}")


def _processes(trial: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Return a trial's process and all its child processes; empty once it has ended."""
    if trial.poll() is not None:
        return []
    process = psutil.Process(trial.pid)
    return [process, *process.children(recursive=True)]


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # the process has just ended
        return 0
