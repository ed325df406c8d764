"""How much memory there is, so that a small file that stands for much is refused in words."""

import os
import resource
from contextlib import suppress
from pathlib import Path

from cellwright.errors import DataError

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what a container may use, in its second version and its first."""
MIB = 1 << 20


def require_memory(what: str, num_bytes: int) -> None:
    """Refuse what no process here can hold.

    Raises:
        DataError: names what it is, its size, and the memory that there is.
    """
    if num_bytes > (most := _memory()):
        raise DataError(
            f"{what} takes {num_bytes / MIB:,.0f} MiB, and there are {most / MIB:,.0f} MiB of memory"
        )


def _memory() -> int:
    """Return the bytes of memory that this process may use at most."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits += [soft] * (soft != resource.RLIM_INFINITY)
    for file in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # not there, or "max"
            limits.append(int(Path(file).read_text()))
    return min(limits)
