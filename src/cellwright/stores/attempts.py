"""Folders of a store that several processes may try to finish, and one does.

    FOLDER/ATTEMPT/…        the files of an attempt, which nobody else writes
    FOLDER/ATTEMPT.json     their digests, while the attempt is under way
    FOLDER/RECORD           names the attempt that counts, with its files' sizes and digests; written once

The record is written on condition that there is none. So a process that was frozen, and wakes up after another one has
finished the folder, writes where nobody reads: the name of the attempt is the fencing token that a lease alone lacks.
What an unfinished attempt has stored is where the next one goes on.
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
"""Between two looks for what has changed: what an eviction may cost."""
OFFER = f"0000-{'0' * 8}"
"""The attempt of who asks for a folder to be finished: what the first real one begins with."""

R = TypeVar("R", bound=FolderRecord)
_LISTED = re.compile(f"({ATTEMPT.strip('^$')})\\.json")


def finished(store: Store, folder: str, kind: type[R]) -> R | None:
    """Return the record of a folder; None where it is not finished.

    Raises:
        CellwrightError: the record is damaged.
    """
    place = f"{folder}/{kind.FILE}"
    found = store.look(place)
    return None if found is None else kind.parse(found[0].encode(), place)


def pull(
    store: Store, folder: str, record: R, path: Path, *, wanted: Callable[[str], bool] = lambda name: True
) -> None:
    """Write the wanted files of a finished folder to the path, and the record after them.

    Raises:
        CellwrightError: a file is missing or is not what the record says; it is named, and not written.
    """
    for name, file in record.files.items():
        if wanted(name) and not _has(path / checked(name, folder), file):
            _get(store, f"{folder}/{record.attempt}/{name}", path / name, file)
    text, _ = store.look(f"{folder}/{record.FILE}") or ("", "")
    write_text(path / record.FILE, text)


def push(store: Store, path: Path, folder: str, kind: type[R]) -> None:
    """Store a folder that is finished here, unless the store has it with the same files.

    A push that was killed resumes when it is called again.

    Raises:
        CellwrightError: the store has one with other files.
    """
    local = kind.load(path / kind.FILE)
    there = finished(store, folder, kind)
    if there is None:
        place = f"{folder}/{local.attempt}"
        sizes = store.sizes(place)
        for name, file in local.files.items():
            if sizes.get(name) != file.size or not store.holds(path / name, f"{place}/{name}"):
                store.put(path / name, f"{place}/{name}")
        there = _commit(store, folder, local, path)
    if there.files != local.files:
        names = sorted({name for name, _ in local.files.items() ^ there.files.items()})
        raise CellwrightError(
            f"{folder}/{kind.FILE} must have the files of {path}, and has others: {', '.join(names)}; delete the one "
            "that is wrong"
        )


def offer(store: Store, path: Path, folder: str) -> None:
    """Store the files that the first attempt to finish the folder begins with."""
    _Copy(store, path, folder, OFFER, FolderRecord).update()


def take_offer(store: Store, folder: str, path: Path) -> bool:
    """Write what was offered to the path; tell whether anything was.

    Raises:
        CellwrightError: a file is not what was offered; names it.
    """
    return OFFER in _attempts(store, folder) and _resume(store, folder, OFFER, path)


@contextmanager
def attempting(
    path: Path,
    store: Store,
    folder: str,
    kind: type[FolderRecord],
    *,
    say: Callable[[str], None] = say_line,
    seconds: float = SECONDS,
) -> Iterator["Attempt"]:
    """Work in `path` on what finishes a folder of the store, from what earlier attempts stored of it.

    What changes is stored to the end of the block and after it. A copy that fails while the block runs is tried again
    at the next look; the last one raises. If the block leaves a record, the folder is finished: by this attempt, or, if
    another one was first, by that, whose files then replace those of this one.

    Args:
        path: a folder of this machine.
        store: where the folder is.
        folder: its name there.
        kind: of its record.
        say: gets a line about damage, and about another attempt that finished first.
        seconds: between two looks for what has changed.

    Raises:
        CellwrightError: a file is not in the store as it is here.
    """
    path.mkdir(parents=True, exist_ok=True)
    earlier = _attempts(store, folder)
    for name in sorted(earlier, reverse=True):
        try:
            if _resume(store, folder, name, path):
                break
        except CellwrightError as error:
            say(f"{error}; {name} is not resumed")
            shutil.rmtree(path)
            path.mkdir()
    copy = _Copy(store, path, folder, _next_attempt(earlier), kind)
    copy.update()

    def try_to_update() -> None:
        try:
            copy.update()
        except Exception as error:  # told, and tried again
            say(f"checkpoint not stored yet: {error}")

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
        say(f"{folder} was finished by attempt {winner.attempt} first, which counts")
        had = {file.relative_to(path).as_posix() for file in files_below(path)}
        shutil.rmtree(path)
        pull(store, folder, winner, path, wanted=had.__contains__)
    for name in _attempts(store, folder):
        if name != winner.attempt:
            store.delete(f"{folder}/{name}")
        store.remove(f"{folder}/{name}.json")


class Attempt:
    """An attempt under way."""

    def __init__(self, copy: "_Copy") -> None:
        self._copy = copy

    @property
    def name(self) -> str:
        """Return what the record has to name."""
        return self._copy.attempt

    def store_now(self) -> None:
        """Store what has changed."""
        self._copy.update()


class _Listing(BaseModel):
    """`ATTEMPT.json`: what an attempt has stored, sealed as a record is."""

    files: dict[str, list[str | None]]
    """The SHA-256 that each may have: several while it is being replaced, which a kill may stop; None if it may not be
    there yet."""
    seal: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = "0" * 64

    def text(self) -> str:
        text = self.model_copy(update={"seal": "0" * 64}).model_dump_json()
        return f'{text[:-66]}{hashlib.sha256(text.encode()).hexdigest()}"}}'

    @classmethod
    def parse(cls, text: str, place: str) -> "_Listing":
        try:
            listing = cls.model_validate_json(text)
        except ValueError as error:
            raise CellwrightError(f"{place} must list an attempt's files: {reason_of(error)}") from error
        if listing.text() != text:
            raise CellwrightError(f"{place} must have the SHA-256 that is its seal: the file is damaged")
        return listing


class _Copy:
    """What a store has of a folder that changes."""

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
        """Store what has changed. Digests are stored before what they are of, so that a kill leaves no file without."""
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
        """Store a file as it is now, whatever the block does to it meanwhile."""
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
        """Store the digests, unless they are stored."""
        new = _Listing(files=dict(self._possible))
        if new == self._listed:
            return
        with tempfile.TemporaryDirectory(dir=self.path, prefix=".") as scratch:
            listing = Path(scratch) / "listing"
            listing.write_text(new.text(), encoding="utf-8")
            self.store.put(listing, f"{self.folder}/{self.attempt}.json")
        self._listed = new

    def _read_stamps(self) -> dict[str, tuple[int, int, int]]:
        """Return inode, time and size of each whole file but the record, which is stored when all else is."""
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
    """Return the names of the attempts at a folder."""
    return {found[1] for name in store.sizes(folder) if (found := _LISTED.fullmatch(name))}


def _next_attempt(earlier: set[str]) -> str:
    return new_attempt(max((int(name.partition("-")[0]) for name in earlier), default=0) + 1)


def _resume(store: Store, folder: str, attempt: str, path: Path) -> bool:
    """Write what an attempt had stored to the path; tell whether that was anything.

    Raises:
        CellwrightError: a file is missing or damaged; names it.
    """
    place = f"{folder}/{attempt}.json"
    found = store.look(place)
    if found is None:
        return False
    listing = _Listing.parse(found[0], place)
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
    """Have the folder finished by the record's attempt, if no other one was first; return the record that counts.

    Raises:
        CellwrightError: a file is not in the store as the record says.
    """
    place = f"{folder}/{record.FILE}"
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
        store.swap(place, (Path(scratch) / record.FILE).read_text(encoding="utf-8"), None)
    there = finished(store, folder, type(record))
    if there is None:
        raise CellwrightError(f"{place} must be in the store after it was written, and is not")
    return there


def _get(store: Store, name: str, path: Path, file: FileRecord) -> None:
    store.get(name, path)
    if (found := FileRecord.of(path)) != file:
        path.unlink()
        raise CellwrightError(different(name, file, found))


def _has(path: Path, file: FileRecord) -> bool:
    return path.is_file() and path.stat().st_size == file.size and FileRecord.of(path) == file
