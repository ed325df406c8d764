"""The base class of all stores."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

from cellwright.errors import CellwrightError
from cellwright.files import file_digest


class Store(ABC):
    """Files by name. A file is either complete or absent; names are paths with slashes."""

    @classmethod
    @abstractmethod
    def open(
        cls, uri: str, *, endpoint: str | None, log: Callable[[str], None], seconds: float | None
    ) -> Self:
        """Open the store at a URI.

        Args:
            uri: location of the store.
            endpoint: server to use instead of the scheme's default.
            log: receives a message when the store waits.
            seconds: how long to retry if the server refuses or breaks connections; by default, the store's own limit.
        """

    @abstractmethod
    def sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of every file below the folder, by its unchecked name relative to the folder."""

    def ensure(self, *, create: bool = True) -> None:  # noqa: B027 - most are there, or made as they are written
        """Check that the store is usable, for example that its bucket exists.

        Args:
            create: create what is missing.

        Raises:
            CellwrightError: the store does not exist; the message has the command that creates it.
        """

    @abstractmethod
    def put(self, path: Path, name: str) -> None:
        """Upload a file, replacing any file with that name."""

    @abstractmethod
    def get(self, name: str, path: Path) -> None:
        """Download a file to the path.

        Raises:
            CellwrightError: no file has that name.
        """

    @abstractmethod
    def delete(self, folder: str) -> None:
        """Delete every file below the folder."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Delete a file if it exists."""

    @abstractmethod
    def read_text(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small file and the tag of its current version, or None if it does not exist."""

    @abstractmethod
    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small file if its current version still has the given tag, or for None, if it does not exist.

        Returns:
            The tag of the new version; None if the version was another one, which is kept.
        """

    def holds(self, path: Path, name: str) -> bool:
        """Return whether a stored file exists and has the same bytes as the local file."""
        with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
            copy = Path(folder) / "copy"
            try:
                self.get(name, copy)
            except CellwrightError:
                return False
            return file_digest(copy) == file_digest(path)
