"""Opening the files a user names."""

from io import BufferedReader
from pathlib import Path

from cellwright.errors import DataError


def open_file(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
