"""Progress for people: live on a terminal or in a notebook, and a short line for each event elsewhere."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from cellwright.progress import PLANNED, RUNNING, Update
from cellwright.report.board import Board, format_metrics, format_time, state_of
from cellwright.report.terminal import visible

NOTEBOOK_SECONDS = 0.3
"""Minimum time between two drawings in a notebook."""
NOTEBOOK_MESSAGES = 12
"""Number of the last messages that a notebook shows."""


class LiveProgress:
    """A live display as a context manager; its last state stays on the terminal."""

    def __init__(self, console: Console) -> None:
        self._board = Board()
        self._live = Live(
            console=console,
            get_renderable=self._board.draw,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def log(self, message: str) -> None:
        """Print the message above the board."""
        self._live.console.print(visible(message), markup=False, highlight=False, soft_wrap=True)

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Move the task's bar and show the metrics below it."""
        self._board.advance(task, done, total, metrics)

    def update(self, update: Update) -> None:
        """Show the state of a step or a trial."""
        self._board.update(update)


class NotebookProgress:
    """A live display in the output of a notebook's cell, as a context manager; its last state stays there."""

    def __init__(self) -> None:
        self._board = Board()
        self._messages: list[str] = []
        self._handle: Any = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        from IPython.display import display

        self._handle = display(self._drawing(), display_id=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.update(self._drawing())

    def log(self, message: str) -> None:
        """Show the message, among the last ones, above the board."""
        self._messages = [*self._messages, visible(message)][-NOTEBOOK_MESSAGES:]
        self._draw()

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Move the task's bar and show the metrics below it."""
        self._board.advance(task, done, total, metrics)
        self._draw()

    def update(self, update: Update) -> None:
        """Show the state of a step or a trial."""
        self._board.update(update)
        self._draw()

    def _draw(self) -> None:
        if time.monotonic() - self._drawn >= NOTEBOOK_SECONDS:
            self._drawn = time.monotonic()
            self._handle.update(self._drawing())

    def _drawing(self) -> Padding:
        return Padding(Group(*map(Text, self._messages), self._board.draw()), 0)


class PlainProgress:
    """Writes a short line for each event, for logs that people read.

    Args:
        stream: the output stream.
        has_clock: whether lines begin with the time since the start.
    """

    def __init__(self, stream: TextIO, *, has_clock: bool = True) -> None:
        self._stream = stream
        self._began = time.monotonic() if has_clock else None
        self._board = Board()

    def log(self, message: str) -> None:
        """Write the message."""
        self._write(message)

    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Write the progress of a task."""
        words = format_metrics(self._board.advance(task, done, total, metrics).metrics)
        self._write(f"{task} {done}/{total}{words and ': '}{words}")

    def update(self, update: Update) -> None:
        """Write the state of a step or a trial, unless nothing is known of the trial yet."""
        known = self._board.update(update)
        if update.part == "step":
            self._write(f"{update.name}: {state_of(update)}")
        elif update.state not in (PLANNED, RUNNING):
            words = format_metrics(known.metrics)
            self._write(f"trial {update.name}: {update.state}{words and ', '}{words}")

    def _write(self, line: str) -> None:
        clock = "" if self._began is None else f"{format_time(time.monotonic() - self._began):>6}  "
        self._stream.write(clock + visible(line).replace("\n", " ") + "\n")
        self._stream.flush()
