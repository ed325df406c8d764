"""Opens the users' files and folders."""

import difflib
import os
import tarfile
import zipfile
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

from cellwright.errors import DataError


def require_file(path: Path) -> None:
    """Raise DataError unless there is a file at the path."""
    if path.is_dir():
        raise DataError(f"{path}: must be a file, and is a folder")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file{_hint(path)}")


def require_folder(path: Path) -> None:
    """Raise DataError unless there is a folder at the path."""
    if path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
        raise DataError(f"{path}: must be a folder, and is an archive: unpack it, and name the folder")
    if path.exists() and not path.is_dir():
        raise DataError(f"{path}: must be a folder, and is a file")
    if not path.exists():
        raise DataError(f"{path}: there is no such folder{_hint(path)}")


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading bytes."""
    require_file(path)
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def open_data(path: Path, *, may_be_zip: bool = False) -> BufferedReader:
    """Open a regular file for reading bytes, unless it is plainly something else than data.

    Raises:
        DataError: there is no such file, or what it is instead.
    """
    file = open_file(path)
    other = something_else(file.peek(64)[:64])
    if other is None and not may_be_zip and file.peek(2)[:2] == b"PK":
        other = "is an archive (zip or xlsx): unpack it, or export it as csv"
    if other is not None:
        file.close()
        raise DataError(f"{path}: {other}")
    return file


def something_else(start: bytes) -> str | None:
    """Return what a file with this start is that people have in the place of data, or None."""
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the data: git lfs pull downloads it"
    if start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not the data: download the file itself"
    return None


REMEDIES = {
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip"), "unpack it"),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "export it as csv"),
    ".json": "write a line for each example, as .jsonl has it",
}
SIGNATURES = {
    b"\x1f\x8b": "it is compressed: unpack it",
    b"PK\x03\x04": "it is an archive or a workbook: unpack it, or export it as text",
    b"PAR1": "it is parquet: name it .parquet",
    **dict.fromkeys((b"\xff\xfe", b"\xfe\xff"), "it is UTF-16: save it as UTF-8"),
}
"""What the first bytes of a file say."""


def require_suffix(path: Path, suffixes: Iterable[str], *more: str) -> None:
    """Raise DataError unless the file's name ends in one of the suffixes.

    Args:
        path: the file.
        suffixes: lower case, with the dot.
        more: what else is allowed, in words.
    """
    if (suffix := path.suffix.lower()) not in suffixes:
        remedy = f": {REMEDIES[suffix]}" if suffix in REMEDIES else ""
        raise DataError(f"{path}: must be one of {', '.join(suffixes)}{''.join(more)}{remedy}")


def not_utf8(path: Path, error: UnicodeDecodeError) -> DataError:
    """Return the error of a file that is not text in UTF-8, with what it is instead, as far as its bytes say."""
    with open_file(path) as file:
        start = file.read(4)
    byte = error.object[error.start]
    reason = next((text for bytes_, text in SIGNATURES.items() if start.startswith(bytes_)), None)
    return DataError(
        f"{path}: must be text in UTF-8, " + (reason or f"got the byte 0x{byte:02x}: save it as UTF-8")
    )


def _hint(path: Path) -> str:
    """Return a hint why a path does not exist."""
    if path.is_symlink():
        return f", but a link to {os.readlink(path)}, which is not there"
    if "$" in str(path):
        return '; variables are not expanded in a spec: use --set data.path="$HOME/photos", which the shell expands'
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    there = missing.parent
    near = (
        difflib.get_close_matches(missing.name, os.listdir(there), n=1) if os.access(there, os.R_OK) else ()
    )
    return f"; did you mean {there / near[0]}?" if near else f"; {there} has no {missing.name}"
