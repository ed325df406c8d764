"""A store of one's own: files in an SQLite database, `sqlite:///folder/store.db`."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path
from cellwright.stores import Store

SECONDS = 60.0


class SqliteStore(Store):
    """What a spec says: `store: {kind: "my_package.stores:SqliteStore", uri: "sqlite:///folder/store.db"}`."""

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        self.path = path
        self.seconds = seconds
        with self._database() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, content BLOB NOT NULL)"
            )

    @classmethod
    def open(
        cls, uri: str, *, endpoint: str | None, log: Callable[[str], None], seconds: float | None
    ) -> Self:
        """Open the database, which is made if need be."""
        return cls(Path(uri.removeprefix("sqlite://")), seconds or SECONDS)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of every file below the folder, by its name within."""
        start = f"{folder}/"
        with self._database() as database:
            found = database.execute("SELECT name, length(content) FROM files").fetchall()
        return {name.removeprefix(start): size for name, size in found if name.startswith(start)}

    def put(self, path: Path, name: str) -> None:
        """Store a file, in place of what had that name."""
        with self._database() as database:
            database.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (name, path.read_bytes()))

    def get(self, name: str, path: Path) -> None:
        """Write a stored file to the path."""
        content = self._read(name)
        if content is None:
            raise CellwrightError(f"{self.path} must hold {name}, and does not")
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)

    def delete(self, folder: str) -> None:
        """Delete every file below the folder."""
        for name in self.sizes(folder):
            self.remove(f"{folder}/{name}")

    def remove(self, name: str) -> None:
        """Delete a file, if there is one of that name."""
        with self._database() as database:
            database.execute("DELETE FROM files WHERE name = ?", (name,))

    def read_text(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small file, and its digest."""
        content = self._read(name)
        return None if content is None else (content.decode(), _tag(content))

    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small file in place of the version with the digest."""
        with self._database() as database:
            database.execute("BEGIN IMMEDIATE")
            found = database.execute("SELECT content FROM files WHERE name = ?", (name,)).fetchone()
            if (None if found is None else _tag(found[0])) != tag:
                return None
            database.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (name, text.encode()))
        return _tag(text.encode())

    def _read(self, name: str) -> bytes | None:
        with self._database() as database:
            found = database.execute("SELECT content FROM files WHERE name = ?", (name,)).fetchone()
        return None if found is None else bytes(found[0])

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.path, timeout=self.seconds)
        try:
            with database:
                yield database
        finally:
            database.close()


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
