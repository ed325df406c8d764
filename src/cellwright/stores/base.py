"""What every store is."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

from cellwright.errors import CellwrightError
from cellwright.files import file_digest


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

    def ensure(self, *, create: bool = True) -> None:  # noqa: B027 - most are there, or made as they are written
        """Make sure that the store can be used, such as that its bucket exists.

        Args:
            create: whether to make what is missing.

        Raises:
            CellwrightError: it is not there; names the command that makes it.
        """

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

    def holds(self, path: Path, name: str) -> bool:
        """Read a stored file back; tell whether it is there and has the bytes of the file here."""
        with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
            copy = Path(folder) / "copy"
            try:
                self.get(name, copy)
            except CellwrightError:
                return False
            return file_digest(copy) == file_digest(path)
