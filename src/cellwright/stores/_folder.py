"""A store on a volume that all mount."""

import shutil
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path
from cellwright.stores._base import Store, files_below


class FolderStore(Store):
    """Files below a folder.

    Args:
        uri: the folder's absolute path.
    """

    def __init__(self, uri: str) -> None:
        self.root = Path(uri)

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
