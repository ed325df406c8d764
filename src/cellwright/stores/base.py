"""What every store is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

from cellwright.errors import CellwrightError
from cellwright.stores.names import checked


class Store(ABC):
    """Files by name, each either whole or not there; names are paths with slashes."""

    @classmethod
    @abstractmethod
    def open(
        cls, uri: str, *, endpoint: str | None, say: Callable[[str], None], seconds: float | None
    ) -> Self:
        """Return the store at a URI.

        Args:
            uri: where.
            endpoint: of a server other than the scheme's own.
            say: is told what is waited for.
            seconds: to wait for a server that refuses, hangs or breaks off; the store's own time by default.
        """

    @abstractmethod
    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of every file below the folder, by its name within, whatever that is."""

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

    @abstractmethod
    def remove(self, name: str) -> None:
        """Delete a file, if there is one of that name."""

    @abstractmethod
    def look(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small file and the tag of this version of it; None where there is none."""

    @abstractmethod
    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small file in place of the version with the tag, or where there is none, for None.

        Returns:
            The new version's tag; None if another version was there, which stays.
        """

    def push(self, path: Path, folder: str, *, last: str | None = None) -> None:
        """Store every file below the path that is not stored with its size yet; `last` after all others.

        For files that never change, so that a push goes on where an earlier one stopped.
        """
        stored = self.sizes(folder)
        for file in sorted(files_below(path), key=lambda file: (file.name == last, file)):
            name = file.relative_to(path).as_posix()
            if stored.get(name) != file.stat().st_size:
                self.put(file, f"{folder}/{name}")

    def pull(self, folder: str, path: Path, *, wanted: Callable[[str], bool] = lambda name: True) -> None:
        """Write the wanted files below the folder to the path, but for those that are there with their size.

        Raises:
            CellwrightError: a name there, wanted or not, is none of a file below every folder, or cannot be written.
        """
        sizes = {checked(name, folder): size for name, size in self.sizes(folder).items()}
        for name, size in sizes.items():
            file = path / name
            try:
                if wanted(name) and not (file.exists() and file.stat().st_size == size):
                    self.get(f"{folder}/{name}", file)
            except OSError as error:
                raise CellwrightError(
                    f"{folder}/{name}: cannot be copied to {file}: {error.strerror or error}"
                ) from error


def files_below(path: Path) -> list[Path]:
    """Return the files that are whole: those that are being written, or only cached, have names with a dot first."""
    return [
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
