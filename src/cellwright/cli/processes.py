"""Processes that torchrun started together, as the environment describes them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cellwright.errors import CellwrightError

_NUMBERS = {"RANK": 0, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1}
"""Variables that hold a number, with the least it may be."""
_OTHERS = ("MASTER_ADDR", "MASTER_PORT")


def count() -> int:
    """Return how many there are.

    Raises:
        CellwrightError: the environment does not describe them as torchrun does.
    """
    return _number("WORLD_SIZE", 1) if os.environ.get("WORLD_SIZE") else 1


def is_first() -> bool:
    """Return whether this is the one that writes and speaks."""
    return count() == 1 or os.environ["RANK"] == "0"


@contextmanager
def together() -> Iterator[None]:
    """Let this process work with the others, if there are any; all but the first are silent.

    Raises:
        CellwrightError: the environment lacks their address.
    """
    if count() == 1:
        yield
        return
    numbers = {name: _number(name, least) for name, least in _NUMBERS.items()}
    for name in _OTHERS:
        _value(name)
    from cellwright.training import parallel

    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    process = parallel.Process(
        rank=numbers["RANK"],
        world_size=count(),
        local_rank=numbers["LOCAL_RANK"],
        local_world_size=numbers["LOCAL_WORLD_SIZE"],
    )
    with parallel.joined(process):
        yield


def wait() -> None:
    """Wait until all are here."""
    if count() > 1:
        from cellwright.training import parallel

        parallel.barrier()


def is_first_to_fail() -> bool:
    """Return whether no other process failed before, so that only the first error is shown. Call it once."""
    parallel = sys.modules.get("cellwright.training.parallel")
    return parallel is None or parallel.is_first_to_fail()


def _number(name: str, least: int) -> int:
    text = _value(name)
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise CellwrightError(
            f"{name} must be a whole number from {least}, as torchrun sets it, got {text!r}"
        )
    return int(text)


def _value(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise CellwrightError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, so {name} must be set too, as torchrun does; unset WORLD_SIZE "
            "to work alone"
        ) from None
