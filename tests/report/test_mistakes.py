import errno
import os
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError, DataError
from cellwright.report.user_errors import explain, explain_full_disk


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("a.png: cut short"), "a.png: cut short"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), "cannot write a: No space left on device"),
        (OSError(errno.EROFS, "Read-only file system", "a"), "cannot write a: Read-only file system"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "cannot open a: Permission denied"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), None),
        (KeyError("a"), None),
    ],
)
def test_only_errors_that_the_user_can_fix_are_explained(error, line):
    assert explain(error) == line


def library_error() -> Exception:
    error = RuntimeError("cannot serialise")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError('Error: Os { code: 28, message: "No space left on device" }'),
        RuntimeError("I/O error (os error 28)"),
        RuntimeError("(sqlite3.OperationalError) database or disk is full"),
        library_error(),
    ],
)
def test_a_full_disk_is_named_with_its_path_whatever_raises_it(error):
    with pytest.raises(OSError) as raised, explain_full_disk(Path("runs/digits")):
        raise error
    assert explain(raised.value) == "cannot write runs/digits: No space left on device"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/file"),
        CellwrightError("the disk is full"),
        ValueError("a bug"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_pass_unchanged(error):
    with pytest.raises(type(error)) as raised, explain_full_disk(Path("runs/digits")):
        raise error
    assert raised.value is error
