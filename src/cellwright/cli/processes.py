"""Processes that torchrun started together, as they say in the environment."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def count() -> int:
    """Return how many there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Tell whether this is the one that writes and speaks."""
    return count() == 1 or os.environ["RANK"] == "0"


@contextmanager
def together() -> Iterator[None]:
    """Let this process work with the others, if there are any; all but the first are silent."""
    if count() == 1:
        yield
        return
    from cellwright.training import parallel

    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    place = parallel.Place(
        number=int(os.environ["RANK"]),
        count=count(),
        local_number=int(os.environ["LOCAL_RANK"]),
        local_count=int(os.environ["LOCAL_WORLD_SIZE"]),
    )
    with parallel.joined(place):
        yield


def wait() -> None:
    """Wait until all are here."""
    if count() > 1:
        from cellwright.training import parallel

        parallel.wait()


def fails_first() -> bool:
    """Tell, once, whether no other has failed before: its error is the one to show."""
    if count() == 1:
        return True
    from cellwright.training import parallel

    return parallel.fails_first()
