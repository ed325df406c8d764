"""Folders of a store that several processes may try to finish, and exactly one does.

    FOLDER/ATTEMPT/…        the files of an attempt, written by one process only
    FOLDER/ATTEMPT.json     their digests, while the attempt is running
    FOLDER/RECORD           names the winning attempt and its files' sizes and digests; written once

The record is written only if none exists. A process that was frozen and wakes up after another one has finished the
folder writes to its own attempt, which nobody reads. The attempt's name is the fencing token that a lease alone
lacks. A new attempt resumes from the files of an earlier one.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from cellwright.errors import CellwrightError
from cellwright.files import files_below, reason_of, write_text
from cellwright.results import ATTEMPT, FileRecord, FolderRecord, different, new_attempt
from cellwright.stores.base import Store
from cellwright.stores.names import checked
from cellwright.stores.repeating import repeating
from cellwright.stores.retrying import say_line

SECONDS = 10.0
"""Seconds between two checks for changed files, which is the work that an eviction can lose."""
OFFER = f"0000-{'0' * 8}"
"""Name of the attempt that holds the initial files for the first real attempt."""

R = TypeVar("R", bound=FolderRecord)
_LISTED = re.compile(f"({ATTEMPT.strip('^$')})\\.json")


def finished(store: Store, folder: str, kind: type[R]) -> R | None:
    """Return the record of a folder, or None if the folder is not finished.

    Raises:
        CellwrightError: the record is damaged.
    """
    location = f"{folder}/{kind.FILE}"
    found = store.read_text(location)
    return None if found is None else kind.parse(found[0].encode(), location)


def pull(
    store: Store, folder: str, record: R, path: Path, *, wanted: Callable[[str], bool] = lambda name: True
) -> None:
    """Download the wanted files of a finished folder to `path`, then the record.

    Raises:
        CellwrightError: a file is missing or differs from its record. It is not written, and the message names it.
    """
    for name, file in record.files.items():
        if wanted(name) and not _has(path / checked(name, folder), file):
            _get(store, f"{folder}/{record.attempt}/{name}", path / name, file)
    text, _ = store.read_text(f"{folder}/{record.FILE}") or ("", "")
    write_text(path / record.FILE, text)


def push(store: Store, path: Path, folder: str, kind: type[R]) -> None:
    """Upload a finished local folder, unless the store has the same one.

    If a push is killed, call it again to resume.

    Raises:
        CellwrightError: the folder in the store has other files.
    """
    local = kind.load(path / kind.FILE)
    there = finished(store, folder, kind)
    if there is None:
        location = f"{folder}/{local.attempt}"
        sizes = store.sizes(location)
        for name, file in local.files.items():
            if sizes.get(name) != file.size or not store.holds(path / name, f"{location}/{name}"):
                store.put(path / name, f"{location}/{name}")
        there = _commit(store, folder, local, path)
    if there.files != local.files:
        names = sorted({name for name, _ in local.files.items() ^ there.files.items()})
        raise CellwrightError(
            f"{folder}/{kind.FILE} must have the files of {path}, and has others: {', '.join(names)}; delete the one "
            "that is wrong"
        )


def upload_initial(store: Store, path: Path, folder: str) -> None:
    """Upload the initial files for the first attempt to finish the folder."""
    _Copy(store, path, folder, OFFER, FolderRecord).update()


def download_initial(store: Store, folder: str, path: Path) -> bool:
    """Download the initial files to `path`, and return whether there were any.

    Raises:
        CellwrightError: a file is damaged; the message names it.
    """
    return OFFER in _attempts(store, folder) and _resume(store, folder, OFFER, path)


@contextmanager
def attempting(
    path: Path,
    store: Store,
    folder: str,
    kind: type[FolderRecord],
    *,
    log: Callable[[str], None] = say_line,
    seconds: float = SECONDS,
) -> Iterator["Attempt"]:
    """Finish a folder of the store by working in the local folder `path`, resuming from earlier attempts.

    Changed files are uploaded in the background while the block runs, and once more at its end. An upload that fails
    in the background is retried at the next check; the last upload raises its error. If the block has written a record,
    the folder is finished. If another attempt has finished it first, that attempt's files replace the local ones.

    Args:
        path: the local folder.
        store: the store.
        folder: name of the folder in the store.
        kind: class of the folder's record.
        log: receives a message if files are damaged or another attempt finished first.
        seconds: interval between checks for changed files.

    Raises:
        CellwrightError: a file in the store differs from the local one.
    """
    path.mkdir(parents=True, exist_ok=True)
    earlier = _attempts(store, folder)
    for name in sorted(earlier, reverse=True):
        try:
            if _resume(store, folder, name, path):
                break
        except CellwrightError as error:
            log(f"{error}; {name} is not resumed")
            shutil.rmtree(path)
            path.mkdir()
    copy = _Copy(store, path, folder, _next_attempt(earlier), kind)
    copy.update()

    def try_to_update() -> None:
        try:
            copy.update()
        except Exception as error:  # reported, and retried at the next check
            log(f"checkpoint not stored yet: {error}")

    try:
        with repeating(try_to_update, seconds):
            yield Attempt(copy)
    finally:
        copy.update()
    if not (path / kind.FILE).exists():
        return
    record = kind.load(path / kind.FILE)
    winner = _commit(store, folder, record, path)
    if winner != record:
        log(f"{folder} was finished by attempt {winner.attempt} first, which counts")
        had = {file.relative_to(path).as_posix() for file in files_below(path)}
        shutil.rmtree(path)
        pull(store, folder, winner, path, wanted=had.__contains__)
    for name in _attempts(store, folder):
        if name != winner.attempt:
            store.delete(f"{folder}/{name}")
        store.remove(f"{folder}/{name}.json")


class Attempt:
    """A running attempt."""

    def __init__(self, copy: "_Copy") -> None:
        self._copy = copy

    @property
    def name(self) -> str:
        """Return the attempt's name, which the record must have."""
        return self._copy.attempt

    def store_now(self) -> None:
        """Upload all changed files."""
        self._copy.update()


class _Listing(BaseModel):
    """`ATTEMPT.json`: the files that an attempt has stored, sealed like a record."""

    files: dict[str, list[str | None]]
    """The possible SHA-256 digests of each file. There are several while a file is being replaced, since a kill may
    come at any time; None means that the file may not exist yet."""
    seal: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = "0" * 64

    def text(self) -> str:
        text = self.model_copy(update={"seal": "0" * 64}).model_dump_json()
        return f'{text[:-66]}{hashlib.sha256(text.encode()).hexdigest()}"}}'

    @classmethod
    def parse(cls, text: str, location: str) -> "_Listing":
        try:
            listing = cls.model_validate_json(text)
        except ValueError as error:
            raise CellwrightError(f"{location} must list an attempt's files: {reason_of(error)}") from error
        if listing.text() != text:
            raise CellwrightError(f"{location} must have the SHA-256 that is its seal: the file is damaged")
        return listing


class _Copy:
    """The copy in a store of a local folder that changes."""

    def __init__(self, store: Store, path: Path, folder: str, attempt: str, kind: type[FolderRecord]) -> None:
        self.store = store
        self.path = path
        self.folder = folder
        self.attempt = attempt
        self._kind = kind
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._possible: dict[str, list[str | None]] = {}
        self._listed: _Listing | None = None

    def update(self) -> None:
        """Upload all changed files. Each digest is stored before its file, so a kill leaves no file without one."""
        stamps = self._read_stamps()
        for name in self._stamps.keys() - stamps.keys():
            self._possible.pop(name, None)
            self._list()
            del self._stamps[name]
            self.store.remove(f"{self.folder}/{self.attempt}/{name}")
        for name, stamp in stamps.items():
            if self._stamps.get(name) != stamp:
                self._store(name)
                self._stamps[name] = stamp
        self._list()

    def _store(self, name: str) -> None:
        """Upload a snapshot of a file, which the block may change meanwhile."""
        with tempfile.TemporaryDirectory(dir=self.path, prefix=".") as scratch:
            snapshot = Path(scratch) / "snapshot"
            try:
                shutil.copyfile(self.path / name, snapshot)
            except FileNotFoundError:  # deleted meanwhile
                return
            digest = FileRecord.of(snapshot).sha256
            self._possible[name] = [*self._possible.get(name, [None]), digest]
            self._list()
            self.store.put(snapshot, f"{self.folder}/{self.attempt}/{name}")
            self._possible[name] = [digest]

    def _list(self) -> None:
        """Upload the digests if they have changed."""
        new = _Listing(files=dict(self._possible))
        if new == self._listed:
            return
        with tempfile.TemporaryDirectory(dir=self.path, prefix=".") as scratch:
            listing = Path(scratch) / "listing"
            listing.write_text(new.text(), encoding="utf-8")
            self.store.put(listing, f"{self.folder}/{self.attempt}.json")
        self._listed = new

    def _read_stamps(self) -> dict[str, tuple[int, int, int]]:
        """Return inode, modification time and size of each complete file but the record, which is stored last."""
        stamps = {}
        for file in set(files_below(self.path)) - {self.path / self._kind.FILE}:
            try:
                status = file.stat()
            except FileNotFoundError:  # replaced or deleted meanwhile
                continue
            name = file.relative_to(self.path).as_posix()
            stamps[name] = (status.st_ino, status.st_mtime_ns, status.st_size)
        return stamps


def _attempts(store: Store, folder: str) -> set[str]:
    """Return the names of all attempts at a folder."""
    return {found[1] for name in store.sizes(folder) if (found := _LISTED.fullmatch(name))}


def _next_attempt(earlier: set[str]) -> str:
    return new_attempt(max((int(name.partition("-")[0]) for name in earlier), default=0) + 1)


def _resume(store: Store, folder: str, attempt: str, path: Path) -> bool:
    """Download the files of an attempt to `path`, and return whether there were any.

    Raises:
        CellwrightError: a file is missing or damaged; the message names it.
    """
    location = f"{folder}/{attempt}.json"
    found = store.read_text(location)
    if found is None:
        return False
    listing = _Listing.parse(found[0], location)
    stored = store.sizes(f"{folder}/{attempt}")
    for name, possible in listing.files.items():
        if name not in stored and None in possible:
            continue
        target = path / checked(name, folder)
        store.get(f"{folder}/{attempt}/{name}", target)
        if (digest := FileRecord.of(target).sha256) not in possible:
            target.unlink()
            raise CellwrightError(
                f"{folder}/{attempt}/{name} must have the SHA-256 {possible[-1]}, and has {digest}: the file is damaged"
            )
    return bool(listing.files)


def _commit(store: Store, folder: str, record: R, path: Path) -> R:
    """Write the record if the store has none yet, and return the record that the store has now.

    Raises:
        CellwrightError: a file in the store differs from the record.
    """
    location = f"{folder}/{record.FILE}"
    if (there := finished(store, folder, type(record))) is not None:
        return there
    for name in record.files:
        if not store.holds(path / name, f"{folder}/{record.attempt}/{name}"):
            raise CellwrightError(
                f"{folder}/{record.attempt}/{name} must have the bytes of {path / name}, and has not: the store does "
                "not keep what is written to it"
            )
    with tempfile.TemporaryDirectory(prefix="cellwright-") as scratch:
        record.save(Path(scratch) / record.FILE)
        store.swap(location, (Path(scratch) / record.FILE).read_text(encoding="utf-8"), None)
    there = finished(store, folder, type(record))
    if there is None:
        raise CellwrightError(f"{location} must be in the store after it was written, and is not")
    return there


def _get(store: Store, name: str, path: Path, file: FileRecord) -> None:
    store.get(name, path)
    if (found := FileRecord.of(path)) != file:
        path.unlink()
        raise CellwrightError(different(name, file, found))


def _has(path: Path, file: FileRecord) -> bool:
    return path.is_file() and path.stat().st_size == file.size and FileRecord.of(path) == file
