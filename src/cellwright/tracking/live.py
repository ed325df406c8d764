"""Sending to MLflow while a step works, from a process of its own.

The step's process neither imports MLflow nor waits for it: a thread hands what the step knows so far, as one line of
JSON, to `python -m cellwright.tracking`, and shows what that says. Nothing is lost when a record is not sent: the next
holds it too, and so does the record of a later step.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from pydantic import TypeAdapter

from cellwright.tracking.record import RunRecord, Status


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where to log, as `MlflowTracker` takes it."""

    uri: str
    experiment: str
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often what is new is sent, and how long a step that has ended waits for the rest, in seconds."""

    every: float = 5.0
    at_end: float = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One line to the sending process."""

    record: RunRecord
    status: Status
    is_last: bool


_NOTES = TypeAdapter(Note)


def write_note(note: Note) -> str:
    """Spell the note as one line; its record has no artifacts."""
    return json.dumps(asdict(note)) + "\n"  # pydantic would lose what is not finite


def read_note(line: str) -> Note:
    """Read what `write_note` wrote."""
    return _NOTES.validate_python(json.loads(line))


class LiveLogging:
    """Logs a record as it grows, while the context is entered.

    Work that ends within one interval is logged by the last step alone.

    Args:
        target: of the MLflow run.
        record: returns what is known so far, without artifacts; called from a thread.
        log: called once when MLflow does not answer, and when it does again.
        pace: how often.
    """

    def __init__(
        self, target: Target, record: Callable[[], RunRecord], log: Callable[[str], None], pace: Pace
    ) -> None:
        self._target = target
        self._record = record
        self._log = log
        self._pace = pace
        self._process: _Process | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join(self._pace.at_end)
        if self._process is None:
            return
        status: Status = "RUNNING"
        if kind is not None:
            status = "KILLED" if issubclass(kind, KeyboardInterrupt | SystemExit) else "FAILED"
        self._process.write(write_note(Note(record=self._record(), status=status, is_last=True)))
        if not self._process.ends_within(self._pace.at_end):
            self._log(f"MLflow takes longer than {self._pace.at_end:.0f} s; what is new is sent later")
        self._process.close()

    def _follow(self) -> None:
        sent = None
        while not self._is_over.wait(self._pace.every):
            if self._process is None:
                self._process = _Process(self._target, self._pace, self._log)
            record = self._record()
            if record != sent:
                self._process.write(write_note(Note(record=record, status="RUNNING", is_last=False)))
                sent = record


class _Process:
    """The process that sends, and a thread that shows what it says."""

    def __init__(self, target: Target, pace: Pace, log: Callable[[str], None]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cellwright.tracking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # an interrupt is for the step, which then reports how it ended
        )
        assert self._process.stdin and self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout
        self._log = log
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.write(json.dumps([asdict(target), asdict(pace)]) + "\n")

    def write(self, line: str) -> None:
        """Hand it a line; one that has given up, and said why, needs none."""
        with suppress(BrokenPipeError):
            self._to.write(line)
            self._to.flush()

    def ends_within(self, seconds: float) -> bool:
        """Wait until it ends by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._from.close()
        with suppress(BrokenPipeError):
            self._to.close()

    def _listen(self) -> None:
        for line in self._from:
            self._log(line.rstrip("\n"))
