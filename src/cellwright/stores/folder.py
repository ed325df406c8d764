"""A store on a volume that all mount."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Self

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path, write_text
from cellwright.stores.base import Store, files_below


class FolderStore(Store):
    """Files below a folder.

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
        root = self.root / folder
        return {file.relative_to(root).as_posix(): file.stat().st_size for file in files_below(root)}

    def put(self, path: Path, name: str) -> None:
        """Store a file, in place of what had that name."""
        with atomic_path(self.root / name) as temporary:
            shutil.copyfile(path, temporary)

    def get(self, name: str, path: Path) -> None:
        """Write a stored file to the path."""
        if not (self.root / name).exists():
            raise CellwrightError(f"{self.root / name} must exist, and does not")
        with atomic_path(path) as temporary:
            shutil.copyfile(self.root / name, temporary)

    def delete(self, folder: str) -> None:
        """Delete every file below the folder."""
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Delete a file, if there is one of that name."""
        (self.root / name).unlink(missing_ok=True)

    def look(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small file and its digest."""
        try:
            text = (self.root / name).read_text()
        except FileNotFoundError:
            return None
        return text, _tag(text)

    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small file in place of the version with the tag, under a lock that the volume must keep."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self.look(name)
            if (found and found[1]) != tag:
                return None
            write_text(path, text)
        return _tag(text)


def _tag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
