"""Opens the users' files and folders."""

import difflib
import os
import tarfile
import zipfile
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
