"""A store on a volume that all mount."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path, write_text
from cellwright.stores.base import Store, files_below
from cellwright.stores.names import checked


class FolderStore(Store):
    """Files below a folder; links that lead out of it are refused.

    Args:
        uri: the folder's absolute path.
    """

    def __init__(self, uri: str) -> None:
        self.root = Path(uri)

    @classmethod
    def open(
        cls, uri: str, *, endpoint: str | None, say: Callable[[str], None], seconds: float | None
    ) -> Self:
        """Return the store at an absolute path."""
        return cls(uri)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of every file below the folder, by its name within."""
        root = self._path(folder)
        return {file.relative_to(root).as_posix(): file.stat().st_size for file in files_below(root)}

    def put(self, path: Path, name: str) -> None:
        """Store a file, in place of what had that name."""
        with atomic_path(self._path(name)) as temporary:
            shutil.copyfile(path, temporary)

    def get(self, name: str, path: Path) -> None:
        """Write a stored file to the path."""
        try:
            stored = self._open(name)
        except FileNotFoundError as error:
            raise CellwrightError(f"{self.root / name} must exist, and does not") from error
        with stored, atomic_path(path) as temporary, temporary.open("wb") as file:
            shutil.copyfileobj(stored, file)

    def delete(self, folder: str) -> None:
        """Delete every file below the folder."""
        shutil.rmtree(self._path(folder), ignore_errors=True)

    def remove(self, name: str) -> None:
        """Delete a file, if there is one of that name."""
        self._path(name).unlink(missing_ok=True)

    def look(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small file and its digest."""
        try:
            with self._open(name) as stored:
                content = stored.read()
        except FileNotFoundError:
            return None
        return content.decode(errors="replace"), _tag(content)

    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small file in place of the version with the tag, under a lock that the volume must keep."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_file = os.open(
            path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666
        )
        with os.fdopen(lock_file, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self.look(name)
            if (found and found[1]) != tag:
                return None
            write_text(path, text)
        return _tag(text.encode())

    def _path(self, name: str) -> Path:
        """Return where a name leads, which is below the root."""
        path = self.root / checked(name, str(self.root))
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(os.path.realpath(self.root)):
            raise CellwrightError(f"{path}: must be in the store, and leads to {target}")
        return target

    def _open(self, name: str) -> BinaryIO:
        return os.fdopen(os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
