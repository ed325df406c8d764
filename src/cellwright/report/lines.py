"""Progress as lines of `name=value`, for pipes and logs of pods.

    message="search: epoch 3 is the best so far"
    task="search" done=3 total=20 train_loss=0.512 validation_accuracy=0.91
    step="search" state="running" score=none
    trial="resnet" state="done" score=0.91 accuracy=0.91
    error="digits.npz: the archive must hold an array 'images'"

The parent of a local run parses the lines of its child processes, to show them live. `write_line` and `read_line` are
the only writer and parser.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TextIO

from cellwright.progress import Progress, TimeLeft, Update

RUN_LOG = "run.log"
"""The file in a workspace with all output of its latest run."""
INDENT = "    "
"""What KFP puts before each line that a step prints."""
_STRING = r'"(?:[^"\\]|\\.)*"'
_NAME = r"[A-Za-z_][A-Za-z0-9_.|/-]*"
_NUMBER = r"-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|inf)|nan"
_TEXT_LINE = re.compile(rf"(message|error)=({_STRING})")
_ADVANCE_LINE = re.compile(rf"task=({_STRING}) done=([0-9]+) total=([0-9]+)((?: {_NAME}=(?:{_NUMBER}))*)")
_UPDATE_LINE = re.compile(
    rf"(step|trial)=({_STRING}) state=({_STRING}) score=(none|{_NUMBER})((?: {_NAME}=(?:{_NUMBER}))*)"
)


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


Event = Message | ErrorMessage | Advance | Update


def write_line(event: Event) -> str:
    """Return the event as one line, without a line end."""
    match event:
        case Message(text):
            return f"message={_quote(text)}"
        case ErrorMessage(text):
            return f"error={_quote(text)}"
        case Advance(task, done, total, metrics):
            return f"task={_quote(task)} done={done} total={total}{_format(metrics)}"
        case Update(part, name, state, metrics, score):
            number = "none" if score is None else repr(float(score))
            return f"{part}={_quote(name)} state={_quote(state)} score={number}{_format(metrics)}"


def read_line(line: str) -> Event | None:
    """Parse the output of `write_line`; None for any other line, such as a library's log."""
    try:
        if text := _TEXT_LINE.fullmatch(line):
            words = json.loads(text[2])
            return Message(words) if text[1] == "message" else ErrorMessage(words)
        if advance := _ADVANCE_LINE.fullmatch(line):
            return Advance(
                json.loads(advance[1]), int(advance[2]), int(advance[3]), _read_metrics(advance[4])
            )
        if update := _UPDATE_LINE.fullmatch(line):
            return Update(
                "step" if update[1] == "step" else "trial",
                json.loads(update[2]),
                json.loads(update[3]),
                _read_metrics(update[5]),
                None if update[4] == "none" else float(update[4]),
            )
    except json.JSONDecodeError:
        return None
    return None


def show(event: Event, progress: Progress) -> None:
    """Pass on an event; an error is shown as a message."""
    match event:
        case Message(text):
            progress.log(text)
        case ErrorMessage(text):
            progress.log(f"error: {text}")
        case Advance(task, done, total, metrics):
            progress.advance(task, done, total, metrics)
        case Update():
            progress.update(event)


def last_error(log: str) -> str | None:
    """Return the last error in a log, or None."""
    problems = [event.text for event in map(read_line, log.splitlines()) if isinstance(event, ErrorMessage)]
    return problems[-1] if problems else None


def messages_of(log: str, step: str) -> list[str]:
    """Return the distinct messages of a step in a log, in order."""
    messages = (event.text for event in map(read_line, log.splitlines()) if isinstance(event, Message))
    return list(dict.fromkeys(text for text in messages if text.startswith(f"{step}: ")))


class LineProgress:
    """Writes every event as a line immediately."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._time_left = TimeLeft()

    def log(self, message: str) -> None:
        """Write a message of one line."""
        self._write(Message(message))

    def fail(self, problem: str) -> None:
        """Write an error for the user to fix."""
        self._write(ErrorMessage(problem))

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Write the progress of a task, with the time left."""
        self._write(Advance(task, done, total, self._time_left.add(task, done, total, metrics)))

    def update(self, update: Update) -> None:
        """Write the state of a step or a trial."""
        self._write(update)

    def _write(self, event: Event) -> None:
        self._stream.write(write_line(event) + "\n")
        self._stream.flush()


def _format(metrics: Mapping[str, float]) -> str:
    for name in metrics:
        if not re.fullmatch(_NAME, name):
            raise ValueError(f"a metric's name must match {_NAME}, got {name!r}")
    return "".join(f" {name}={float(value)!r}" for name, value in metrics.items())


def _read_metrics(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in (metric.split("=") for metric in text.split())}


def _quote(text: str) -> str:
    """Return a JSON string; only characters that could break the line are escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
