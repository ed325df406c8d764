"""Leases: mutual exclusion among processes that share only a store.

The holder of a lease rewrites it every few seconds. If a lease has not changed for a long time by the clock of a
waiting process, its holder is considered dead and the lease is taken over. The clocks need not agree.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic import BaseModel

from cellwright.errors import CellwrightError
from cellwright.stores.base import Store
from cellwright.stores.repeating import repeating

SECONDS = 300.0
"""How long a lease may stay unchanged. It exceeds the time that its holder waits for a store that does not respond."""
LEASES = "leases"
"""The folder of a store that holds the leases."""
LOST = 75
"""Exit code of a process that has lost its lease. When restarted, the process waits for the lease."""


@contextmanager
def leased(
    store: Store,
    name: str,
    owner: str,
    log: Callable[[str], None],
    *,
    seconds: float = SECONDS,
    poll: float = 2.0,
) -> Iterator[None]:
    """Hold a lease until the end of the block, after waiting for its current holder.

    Args:
        store: the store of the lease.
        name: name of the lease's file.
        owner: identifies the new holder. A lease of the same owner is taken over at once, since it is from an earlier
            attempt that has ended.
        log: receives messages about the current holder and about errors.
        seconds: how long a lease may stay unchanged before it is taken over.
        poll: seconds between two checks.
    """
    lease = _Lease(store, name, owner, log)
    lease.take(seconds, poll)
    try:
        with repeating(lease.renew, seconds / 8):
            yield
    finally:
        lease.write(None)


def release(store: Store, folder: str, owner: str) -> None:
    """Release all leases in the folder that the owner holds. The owner's processes must have ended."""
    for name in store.sizes(folder):
        lease = _Lease(store, f"{folder}/{name}", owner, lambda _: None)
        if lease.holder() == owner:
            lease.write(None)


class _Held(BaseModel):
    owner: str | None
    version: str


class _Lease:
    def __init__(self, store: Store, name: str, owner: str, log: Callable[[str], None]) -> None:
        self.store = store
        self.name = name
        self.owner = owner
        self.log = log
        self.tag: str | None = None

    def take(self, seconds: float, poll: float) -> None:
        """Wait until the lease is free, expired or the owner's own, and take it."""
        seen, since, waits_for = None, time.monotonic(), None
        while True:
            holder = self.holder()
            if self.tag != seen:
                seen, since = self.tag, time.monotonic()
            is_left = time.monotonic() - since > seconds
            if (holder in (None, self.owner) or is_left) and self.write(self.owner):
                return
            if holder not in (None, waits_for):
                waits_for = holder
                self.log(f"waiting for {holder}, which is at the same: {self.name}")
            time.sleep(poll)

    def renew(self) -> None:
        """Renew the lease; exit the process if another process has taken the lease over."""
        try:
            if not self.write(self.owner):
                self.log(f"{self.name} was taken over by {self.holder()}, as this process was not heard of")
                os._exit(LOST)
        except CellwrightError as error:
            self.log(f"{error}; tried again")

    def holder(self) -> str | None:
        """Return the holder of the lease, and remember its version."""
        found = self.store.read_text(self.name)
        text, self.tag = found or (None, None)
        if text is None:
            return None
        try:
            return _Held.model_validate_json(text).owner
        except ValueError:
            self.log(f"{self.name} is damaged, and counts as abandoned")
            return None

    def write(self, owner: str | None) -> bool:
        """Replace the version that was last seen by a new one, and return whether that succeeded."""
        text = _Held(owner=owner, version=uuid.uuid4().hex).model_dump_json()
        tag = self.store.swap(self.name, text, self.tag)
        if tag is None and (found := self.store.read_text(self.name)) is not None and found[0] == text:
            tag = found[1]  # the first try succeeded, but its response was lost
        if tag is not None:
            self.tag = tag
        return tag is not None
