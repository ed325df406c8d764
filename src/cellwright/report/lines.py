"""Progress as lines of `name=value`, for pipes and logs of pods.

    message="search: epoch 3 is the best so far"
    task="search" done=3 total=20 train_loss=0.512 validation_accuracy=0.91
    error="digits.npz: the archive must hold an array 'images'"

The parent of a local run parses the lines of its child processes, to show them live. `write_line` and `read_line` are
the only writer and parser.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TextIO

from cellwright.progress import Progress

RUN_LOG = "run.log"
"""The file in a workspace with all output of its latest run."""
INDENT = "    "
"""What KFP puts before each line that a step prints."""
_STRING = r'"(?:[^"\\]|\\.)*"'
_NAME = r"[A-Za-z_][A-Za-z0-9_.|/-]*"
_NUMBER = r"-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|inf)|nan"
_TEXT_LINE = re.compile(rf"(message|error)=({_STRING})")
_ADVANCE_LINE = re.compile(rf"task=({_STRING}) done=([0-9]+) total=([0-9]+)((?: {_NAME}=(?:{_NUMBER}))*)")


@dataclass(frozen=True, slots=True)
class Message:
    """A message of one line."""

    text: str


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """An error for the user to fix, printed by a step before it exits."""

    text: str


@dataclass(frozen=True, slots=True)
class Advance:
    """The progress of a task, with metrics."""

    task: str
    done: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.metrics:
            if not re.fullmatch(_NAME, name):
                raise ValueError(f"a metric's name must match {_NAME}, got {name!r}")


Event = Message | ErrorMessage | Advance


def write_line(event: Event) -> str:
    """Return the event as one line, without a line end."""
    match event:
        case Message(text):
            return f"message={_quote(text)}"
        case ErrorMessage(text):
            return f"error={_quote(text)}"
        case Advance(task, done, total, metrics):
            values = "".join(f" {name}={float(value)!r}" for name, value in metrics.items())
            return f"task={_quote(task)} done={done} total={total}{values}"


def read_line(line: str) -> Event | None:
    """Parse the output of `write_line`; None for any other line, such as a library's log."""
    try:
        if text := _TEXT_LINE.fullmatch(line):
            words = json.loads(text[2])
            return Message(words) if text[1] == "message" else ErrorMessage(words)
        if advance := _ADVANCE_LINE.fullmatch(line):
            metrics = (metric.split("=") for metric in advance[4].split())
            return Advance(
                json.loads(advance[1]),
                int(advance[2]),
                int(advance[3]),
                {name: float(value) for name, value in metrics},
            )
    except json.JSONDecodeError:
        return None
    return None


def show(event: Event, progress: Progress) -> None:
    """Pass on a message or an advance; an error is shown as a message."""
    match event:
        case Message(text):
            progress.log(text)
        case ErrorMessage(text):
            progress.log(f"error: {text}")
        case Advance(task, done, total, metrics):
            progress.advance(task, done, total, metrics)


def last_error(log: str) -> str | None:
    """Return the last error in a log, or None."""
    problems = [event.text for event in map(read_line, log.splitlines()) if isinstance(event, ErrorMessage)]
    return problems[-1] if problems else None


def messages_of(log: str, step: str) -> list[str]:
    """Return the distinct messages of a step in a log, in order."""
    messages = (event.text for event in map(read_line, log.splitlines()) if isinstance(event, Message))
    return list(dict.fromkeys(text for text in messages if text.startswith(f"{step}: ")))


class LineProgress:
    """Writes every event as a line immediately.

    Args:
        stream: the output stream.
        digits: significant digits of fractional metrics; all by default.
    """

    def __init__(self, stream: TextIO, digits: int | None = None) -> None:
        self._stream = stream
        self._digits = digits

    def log(self, message: str) -> None:
        """Write a message of one line."""
        self._write(Message(message))

    def fail(self, problem: str) -> None:
        """Write an error for the user to fix."""
        self._write(ErrorMessage(problem))

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Write the progress of a task."""
        if self._digits is not None:
            metrics = {
                name: value if float(value).is_integer() else float(f"{value:.{self._digits}g}")
                for name, value in metrics.items()
            }
        self._write(Advance(task, done, total, metrics))

    def _write(self, event: Event) -> None:
        self._stream.write(write_line(event) + "\n")
        self._stream.flush()


def _quote(text: str) -> str:
    """Return a JSON string; only characters that could break the line are escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
