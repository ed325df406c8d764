"""Distinguishes errors that the user can fix from bugs."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.report.lines import LineProgress
from cellwright.report.terminal import visible

_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_FULL = ("No space left on device", "os error 28", "disk is full")


def explain(error: BaseException) -> str | None:
    """Return the message for an error that the user can fix; None if the error is a bug."""
    match error:
        case CellwrightError():
            return visible(str(error))
        case OSError(errno=number, strerror=str(reason)) if number != errno.EPIPE:
            verb = "write" if number in _CANNOT_WRITE else "open"
            return f"cannot {verb} {visible(str(error.filename))}: {reason}" if error.filename else reason
        case EOFError():
            return visible(f"a file ends too soon: {error}")
        case MemoryError():
            return visible(f"there is too little memory: {error}")
        case _:
            return None


@contextmanager
def exit_on_user_error(progress: LineProgress) -> Iterator[None]:
    """Print an error that the user can fix as a line, and exit; raise others with their traceback.

    Raises:
        SystemExit: there was such an error.
    """
    try:
        yield
    except Exception as error:
        problem = explain(error)
        if problem is None:
            raise
        progress.fail(problem)
        raise SystemExit(1) from None


@contextmanager
def explain_full_disk(location: Path) -> Iterator[None]:
    """Add a path to errors of a full disk, whose file neither the system nor libraries report."""
    try:
        yield
    except CellwrightError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename:
            raise
        if not any(sign in str(cause) for cause in _causes(error) for sign in _FULL):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(location)) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
