"""Trials as local processes."""

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import psutil

from cellwright.evaluation import Evaluation
from cellwright.forks import CAN_FORK
from cellwright.progress import SECONDS_BETWEEN, Progress, Silent
from cellwright.report.lines import Advance, ErrorMessage, read_line
from cellwright.runners.base import Key, Outcome, Runner, Trials
from cellwright.runners.forking import LOG
from cellwright.spec import SearchSpec
from cellwright.spec.platform import Memory, count_bytes
from cellwright.spec.runner import RunnerSection

TRIALS = (sys.executable, "-m", "cellwright", "trials")
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
    """The process that the trial is a fork of."""
    began: float
    measured: float = 0.0
    """Time of the last memory measurement, in seconds since the start."""

    @property
    def processes(self) -> list[psutil.Process]:
        """Return the trial's process and its child processes."""
        process = psutil.Process(self.process.pid)
        children = process.children(recursive=True)
        return children if CAN_FORK else [process, *children]


class LocalRunner(Runner):
    """Runs each trial in a separate process, which ends when this process does.

    A trial is killed together with its child processes. Trials are forks of as many processes as there are trials at a
    time, which have imported what trials need (`cellwright.runners.forking`).

    Args:
        max_seconds: time limit of a trial.
        max_memory: limit of a trial's resident memory in bytes, including child processes.
        progress: receives the progress of long trials.
        command: starts a process that calls `cellwright.runners.forking.serve`.
    """

    def __init__(
        self,
        *,
        max_seconds: float | None = None,
        max_memory: int | None = None,
        progress: Progress | None = None,
        command: Sequence[str] = TRIALS,
    ) -> None:
        self.max_seconds = max_seconds
        self.max_memory = max_memory
        self.progress = progress or Silent()
        self.command = command
        self._running: list[_Running] = []
        self._idle: list[subprocess.Popen[bytes]] = []

    @classmethod
    def of(cls, spec: SearchSpec, trials: Trials) -> Self:
        """Build the runner with the spec's limits."""
        assert isinstance(spec.runner, LocalSection)
        return cls(
            max_seconds=spec.runner.max_seconds,
            max_memory=spec.runner.max_memory_bytes,
            progress=trials.progress,
        )

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        """Start the trial whose request is in the folder."""
        process = self._idle_process() or self._start_process(folder)
        assert process.stdin
        with suppress(BrokenPipeError):  # it has ended, which `wait` reports
            process.stdin.write(json.dumps(str(folder)).encode() + b"\n")
        self._running.append(_Running(key=key, folder=folder, process=process, began=time.monotonic()))

    def _idle_process(self) -> "subprocess.Popen[bytes] | None":
        while self._idle:
            process = self._idle.pop()
            if process.poll() is None:
                return process
            process.communicate()
        return None

    def _start_process(self, folder: Path) -> "subprocess.Popen[bytes]":
        with (folder / LOG).open("wb") as log:
            return subprocess.Popen(
                self.command,
                bufsize=0,
                stdin=subprocess.PIPE,  # closes when this process ends, which trials notice
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> Outcome:
        """Wait until a trial ends, and return its outcome."""
        shown = time.monotonic()
        while True:
            if time.monotonic() - shown > SECONDS_BETWEEN:
                self._show()
                shown = time.monotonic()
            answers = [trial.process.stdout for trial in self._running if trial.process.stdout]
            ready, _, _ = select.select(answers, [], [], POLL_SECONDS)
            for trial in self._running:
                seconds = time.monotonic() - trial.began
                if trial.process.stdout in ready:
                    return Outcome(key=trial.key, seconds=seconds, failure=self._ended(trial))
                failure = self._excess(trial, seconds)
                if failure is not None:
                    self._kill(trial)
                    return Outcome(key=trial.key, seconds=seconds, failure=failure)

    def _show(self) -> None:
        """Report how far each running trial is, with the number of its evaluation."""
        for number, trial in enumerate(self._running, start=1):
            advances = [event for event in map(read_line, _last_lines(trial)) if isinstance(event, Advance)]
            if advances:
                last = advances[-1]
                metrics = {"evaluation": trial.key[0], **last.metrics}
                self.progress.advance(f"trial {number}", last.done, last.total, metrics)

    def stop(self) -> None:
        """Kill all running trials, and end the processes that they are forks of."""
        for trial in list(self._running):
            self._kill(trial)
        while self._idle:
            self._idle.pop().communicate()

    def _ended(self, trial: _Running) -> str | None:
        """Return why the trial failed, if it did; the process that it was a fork of is used again."""
        assert trial.process.stdout
        answer = trial.process.stdout.readline()
        self._running.remove(trial)
        if answer:
            self._idle.append(trial.process)
            return _failure(trial, int(answer))
        trial.process.communicate()
        return _failure(trial, trial.process.returncode)

    def _kill(self, trial: _Running) -> None:
        for process in (psutil.Process(trial.process.pid), *trial.processes):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        trial.process.communicate()
        self._running.remove(trial)

    def _excess(self, trial: _Running, seconds: float) -> str | None:
        if self.max_seconds is not None and seconds > self.max_seconds:
            return f"took longer than runner.max_seconds, {self.max_seconds:g} s"
        if self.max_memory is not None and seconds - trial.measured > MEMORY_SECONDS:
            trial.measured = seconds
            used = sum(map(_resident_bytes, trial.processes))
            if used > self.max_memory:
                return f"used {used / 2**20:.0f} MiB, more than runner.max_memory, {self.max_memory / 2**20:.0f} MiB"
        return None


def _last_lines(trial: _Running) -> list[str]:
    return (trial.folder / LOG).read_bytes()[-LOG_TAIL:].decode(errors="replace").strip().splitlines()


def _failure(trial: _Running, code: int) -> str | None:
    if code == 0:
        return None
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = _last_lines(trial)
    problems = [event.text for event in map(read_line, lines) if isinstance(event, ErrorMessage)]
    return problems[-1] if problems else (lines[-1] if lines else f"exit code {code}")


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # the process has just ended
        return 0
