"""What every store is."""

from abc import ABC, abstractmethod
from pathlib import Path


class Store(ABC):
    """Files by name, each either whole or not there; names are paths with slashes."""

    @abstractmethod
    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of every file below the folder, by its name within."""

    @abstractmethod
    def put(self, path: Path, name: str) -> None:
        """Store a file, in place of what had that name."""

    @abstractmethod
    def get(self, name: str, path: Path) -> None:
        """Write a stored file to the path.

        Raises:
            CellwrightError: there is none of that name.
        """

    @abstractmethod
    def delete(self, folder: str) -> None:
        """Delete every file below the folder."""

    def push(self, path: Path, folder: str, *, last: str | None = None) -> None:
        """Store every file below the path that is not stored with its size yet; `last` after all others.

        For files that never change, so that a push goes on where an earlier one stopped.
        """
        stored = self.sizes(folder)
        for file in sorted(files_below(path), key=lambda file: (file.name == last, file)):
            name = file.relative_to(path).as_posix()
            if stored.get(name) != file.stat().st_size:
                self.put(file, f"{folder}/{name}")

    def pull(self, folder: str, path: Path) -> None:
        """Write every file below the folder to the path, but for those that are there with their size."""
        for name, size in self.sizes(folder).items():
            file = path / name
            if not file.exists() or file.stat().st_size != size:
                self.get(f"{folder}/{name}", file)


def files_below(path: Path) -> list[Path]:
    """Return the files that are whole: those that are being written have names with a dot first."""
    return [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")]
