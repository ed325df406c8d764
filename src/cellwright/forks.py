"""Work in forks of this process, which inherit all that it has in memory."""

import os
import select
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NoReturn

from cellwright.errors import CellwrightError
from cellwright.exit_with_parent import exit_with_peer

CAN_FORK = sys.platform == "linux"
"""Elsewhere libraries do not survive a fork."""
LONGEST_REASON = 4096
"""In bytes, which a pipe holds."""


def fork() -> int:
    """Fork this process, and return the fork's id, or 0 in the fork."""
    with warnings.catch_warnings():
        # NumPy's threads, which survive a fork
        warnings.filterwarnings("ignore", ".*is multi-threaded", DeprecationWarning)
        return os.fork()


def run_in_forks(work: Callable[[int], None], numbers: Iterable[int], num_processes: int) -> Iterator[int]:
    """Call `work` for each number, each in a fork and so many at a time, and yield the numbers as they are done.

    Forks end with this process, and with the iterator. Where processes cannot be forked, this one does the work.

    Raises:
        CellwrightError: a fork failed; the message has the reason.
    """
    if not CAN_FORK:
        for number in numbers:
            work(number)
            yield number
        return
    left = iter(numbers)
    running: dict[int, tuple[int, int]] = {}  # the pipe on which a fork reports: its number and process
    poll = select.poll()
    try:
        while True:
            while len(running) < num_processes and (started := next(left, None)) is not None:
                reader, process = _start(work, started, running)
                running[reader] = started, process
                poll.register(reader, select.POLLIN)
            if not running:
                return
            for reader, _ in poll.poll():
                number, process = running[reader]
                reason = os.read(reader, LONGEST_REASON).decode(errors="replace")
                poll.unregister(reader)
                _end(reader, process, running)
                if reason != "done":
                    raise CellwrightError(
                        reason or "a process of prepare was killed, most likely for lack of memory"
                    )
                yield number
    finally:
        for reader, (_, process) in list(running.items()):
            os.kill(process, 9)
            _end(reader, process, running)


def _start(work: Callable[[int], None], number: int, others: Iterable[int]) -> tuple[int, int]:
    """Return the pipe on which a new fork reports, and its process id."""
    reader, writer = os.pipe()
    process = fork()
    if process == 0:
        for pipe in (reader, *others):  # they must close with the process that reads them
            os.close(pipe)
        _work_and_exit(work, number, writer)
    os.close(writer)
    return reader, process


def _work_and_exit(work: Callable[[int], None], number: int, writer: int) -> NoReturn:
    outcome = ""
    try:
        exit_with_peer(writer)
        work(number)
        outcome = "done"
    except BaseException as error:
        outcome = str(error) or type(error).__name__
    finally:
        with suppress(OSError):  # this process is about to end with its parent
            os.write(writer, outcome.encode(errors="replace")[:LONGEST_REASON])
        os._exit(0)


def _end(reader: int, process: int, running: dict[int, tuple[int, int]]) -> None:
    del running[reader]
    os.close(reader)
    os.waitpid(process, 0)
