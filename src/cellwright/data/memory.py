"""Memory limits, so that a small file that expands to a large array is rejected with a clear message."""

import os
import resource
from contextlib import suppress
from pathlib import Path

from cellwright.errors import DataError

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files where Linux has the memory limit of a container, for cgroup versions 2 and 1."""
MIB = 1 << 20


def require_memory(what: str, num_bytes: int) -> None:
    """Check that this process can hold so many bytes.

    Raises:
        DataError: the message has the object, its size, and the available memory.
    """
    if num_bytes > (most := _memory()):
        raise DataError(
            f"{what} takes {num_bytes / MIB:,.0f} MiB, and there are {most / MIB:,.0f} MiB of memory"
        )


def _memory() -> int:
    """Return the memory limit of this process in bytes."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits += [soft] * (soft != resource.RLIM_INFINITY)
    for file in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or its content is "max"
            limits.append(int(Path(file).read_text()))
    return min(limits)
