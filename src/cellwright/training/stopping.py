"""Graceful termination: a process that receives SIGTERM first saves what it has."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 128 + signal.SIGTERM


class Stopped(SystemExit):
    """The process received SIGTERM; its exit code is the one that shells expect."""

    def __init__(self) -> None:
        super().__init__(CODE)


_busy = False
_asked = False


@contextmanager
def on_sigterm(save: Callable[[], None]) -> Iterator[None]:
    """Call `save` and exit if the process receives SIGTERM in the block. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _asked
    before = signal.signal(signal.SIGTERM, _ask)
    try:
        yield
    except Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        save()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        _asked = False


@contextmanager
def sigterm_deferred() -> Iterator[None]:
    """Defer SIGTERM to the end of the block, such as a training step."""
    global _busy
    _busy = True
    try:
        yield
    finally:
        _busy = False
    if _asked:
        raise Stopped


def _ask(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    if not _busy:
        raise Stopped
