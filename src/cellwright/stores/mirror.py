"""Keeping a store's copy of a folder up to date while a trial or a step works in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellwright.stores.base import Store, files_below
from cellwright.stores.repeating import repeating

SECONDS = 10.0
"""Between two looks: what an eviction may cost."""


@contextmanager
def mirroring(
    path: Path, store: Store, folder: str, *, last: str | None = None, seconds: float = SECONDS
) -> Iterator[None]:
    """Go on from what the store has of the folder, and store what changes, to the end of the block and after it.

    A copy that fails while the block runs is tried again at the next look; the last one raises. What is deleted here is
    deleted there. The file `last` is stored after all others.
    """
    store.pull(folder, path)
    stored = _stamps(path)

    def copy() -> None:
        stamps = _stamps(path)
        for file, stamp in sorted(stamps.items(), key=lambda item: item[0].name == last):
            if stored.get(file) != stamp:
                store.put(file, place(file))
                stored[file] = stamp
        for file in stored.keys() - stamps.keys():
            store.remove(place(file))
            del stored[file]

    def place(file: Path) -> str:
        return f"{folder}/{file.relative_to(path).as_posix()}"

    def try_to_copy() -> None:
        try:
            copy()
        except Exception as error:  # told, and tried again
            print(f"checkpoint not stored yet: {error}", flush=True)

    try:
        with repeating(try_to_copy, seconds):
            yield
    finally:
        copy()


def _stamps(path: Path) -> dict[Path, tuple[int, int]]:
    """Return the time and size of each whole file."""
    stamps = {}
    for file in files_below(path):
        try:
            status = file.stat()
        except FileNotFoundError:  # replaced or deleted meanwhile
            continue
        stamps[file] = (status.st_mtime_ns, status.st_size)
    return stamps
