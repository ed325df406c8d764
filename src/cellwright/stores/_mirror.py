"""Keeping a store's copy of a folder up to date while a trial works in it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellwright.stores._base import Store, files_below

SECONDS = 10.0
"""Between two looks: what an eviction may cost."""


@contextmanager
def mirroring(path: Path, store: Store, folder: str, *, seconds: float = SECONDS) -> Iterator[None]:
    """Go on from what the store has of the folder, and store what changes, to the end of the block and after it.

    A copy that fails while the block runs is tried again at the next look; the last one raises.
    """
    store.pull(folder, path)
    stored = _stamps(path)
    ended = threading.Event()

    def copy() -> None:
        for file, stamp in _stamps(path).items():
            if stored.get(file) != stamp:
                store.put(file, f"{folder}/{file.relative_to(path).as_posix()}")
                stored[file] = stamp

    def watch() -> None:
        while not ended.wait(seconds):
            try:
                copy()
            except Exception as error:  # told, and tried again
                print(f"checkpoint not stored yet: {error}", flush=True)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
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
