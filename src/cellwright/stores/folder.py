"""A store on a volume that all machines mount."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Self

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path, create_text, file_digest, files_below, make_folder, write_text
from cellwright.stores.base import Store
from cellwright.stores.names import checked

LOCK_SECONDS = 30.0
"""How long to wait for a lock whose holder, which only writes a small file, does not release it."""
LOCK_POLL = 0.01


class FolderStore(Store):
    """Files below a folder. Symbolic links that lead out of the folder are rejected.

    Args:
        uri: the folder's absolute path.
    """

    def __init__(self, uri: str) -> None:
        self.root = Path(uri)
        self.lock_seconds = LOCK_SECONDS

    @classmethod
    def open(
        cls, uri: str, *, endpoint: str | None, log: Callable[[str], None], seconds: float | None
    ) -> Self:
        """Open the store at an absolute path."""
        return cls(uri)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of every file below the folder, by its name relative to the folder."""
        root = self._path(folder)
        return {file.relative_to(root).as_posix(): file.stat().st_size for file in files_below(root)}

    def put(self, path: Path, name: str) -> None:
        """Copy a file into the store, replacing any file with that name."""
        with atomic_path(self._path(name)) as temporary:
            shutil.copyfile(path, temporary)

    def get(self, name: str, path: Path) -> None:
        """Copy a stored file to the path."""
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
        """Delete a file if it exists."""
        self._path(name).unlink(missing_ok=True)

    def read_text(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small file and its digest."""
        try:
            with self._open(name) as stored:
                content = stored.read()
        except FileNotFoundError:
            return None
        return content.decode(errors="replace"), _tag(content)

    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small file if its current version still has the given tag, or for None, if it does not exist.

        A new file is created as a hard link, which succeeds for only one process and needs no lock. An existing file is
        replaced under a lock, which the volume must support. A lock whose holder makes no progress is broken.
        """
        path = self._path(name)
        make_folder(path.parent)
        if tag is None:
            return _tag(text.encode()) if create_text(path, text) else None
        with self._locked(path.with_name(f".{path.name}.lock")) as is_mine:
            found = self.read_text(name)
            if (found and found[1]) != tag or not is_mine():
                return None
            write_text(path, text)
        return _tag(text.encode())

    def holds(self, path: Path, name: str) -> bool:
        """Return whether a stored file exists and has the same bytes as the local file."""
        try:
            with self._open(name) as stored:
                return hashlib.file_digest(stored, "sha256").hexdigest() == file_digest(path)
        except FileNotFoundError:
            return False

    @contextmanager
    def _locked(self, path: Path) -> Iterator[Callable[[], bool]]:
        """Hold a lock until the end of the block, and yield a function that returns whether the lock is still held."""
        deadline = time.monotonic() + self.lock_seconds
        while True:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            try:

                def is_mine(handle: int = handle) -> bool:
                    with suppress(FileNotFoundError):
                        return os.fstat(handle).st_ino == path.stat().st_ino
                    return False

                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline and is_mine():
                        path.unlink(missing_ok=True)
                        deadline = time.monotonic() + self.lock_seconds
                    time.sleep(LOCK_POLL)
                    continue
                if is_mine():
                    yield is_mine
                    return
            finally:
                os.close(handle)

    def _path(self, name: str) -> Path:
        """Return the path of a name, which must be below the root."""
        path = self.root / checked(name, str(self.root))
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(os.path.realpath(self.root)):
            raise CellwrightError(f"{path}: must be in the store, and leads to {target}")
        return target

    def _open(self, name: str) -> BufferedReader:
        return os.fdopen(os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
