"""What one process at a time may do, among processes that share nothing but a store.

The holder of a lease writes it again every few seconds. One that has stood still for long, by the clock of those who
wait, belongs to a process that is gone, and is taken over. Nothing depends on clocks that agree.
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
"""How long a lease may stand still: longer than its holder waits for a store that does not answer."""
LEASES = "leases"
"""The folder of a store that says who is at what."""
LOST = 75
"""Exit code of a process whose lease was taken over; restarted, it waits for the lease."""


@contextmanager
def leased(
    store: Store,
    name: str,
    owner: str,
    say: Callable[[str], None],
    *,
    seconds: float = SECONDS,
    poll: float = 2.0,
) -> Iterator[None]:
    """Hold the lease to the end of the block, after waiting for those who hold it now.

    Args:
        store: where it is.
        name: of its file there.
        owner: who wants it. What was left by the same owner is taken over at once: its earlier attempt is over.
        say: told for whom this waits, and what troubles it.
        seconds: how long a lease that stands still is respected.
        poll: seconds between two looks.
    """
    lease = _Lease(store, name, owner, say)
    lease.take(seconds, poll)
    try:
        with repeating(lease.renew, seconds / 8):
            yield
    finally:
        lease.write(None)


def release(store: Store, folder: str, owner: str) -> None:
    """Free all leases in the folder that the owner holds, whose processes must be gone."""
    for name in store.sizes(folder):
        lease = _Lease(store, f"{folder}/{name}", owner, lambda _: None)
        if lease.look() == owner:
            lease.write(None)


class _Held(BaseModel):
    owner: str | None
    version: str


class _Lease:
    def __init__(self, store: Store, name: str, owner: str, say: Callable[[str], None]) -> None:
        self.store = store
        self.name = name
        self.owner = owner
        self.say = say
        self.tag: str | None = None

    def take(self, seconds: float, poll: float) -> None:
        """Wait until the lease is free, left behind or the owner's own, and take it."""
        seen, since, waits_for = None, time.monotonic(), None
        while True:
            holder = self.look()
            if self.tag != seen:
                seen, since = self.tag, time.monotonic()
            is_left = time.monotonic() - since > seconds
            if (holder in (None, self.owner) or is_left) and self.write(self.owner):
                return
            if holder not in (None, waits_for):
                waits_for = holder
                self.say(f"waiting for {holder}, which is at the same: {self.name}")
            time.sleep(poll)

    def renew(self) -> None:
        """Show that the holder lives; end the process if another one has taken it for gone."""
        try:
            if not self.write(self.owner):
                self.say(f"{self.name} was taken over by {self.look()}, as this process was not heard of")
                os._exit(LOST)
        except CellwrightError as error:
            self.say(f"{error}; tried again")

    def look(self) -> str | None:
        """Return who holds the lease, and note its version."""
        found = self.store.look(self.name)
        text, self.tag = found or (None, None)
        if text is None:
            return None
        try:
            return _Held.model_validate_json(text).owner
        except ValueError:
            self.say(f"{self.name} is damaged, and counts as abandoned")
            return None

    def write(self, owner: str | None) -> bool:
        """Write a new version over the one that was seen last; tell whether that was still there."""
        text = _Held(owner=owner, version=uuid.uuid4().hex).model_dump_json()
        tag = self.store.swap(self.name, text, self.tag)
        if tag is None and (found := self.store.look(self.name)) is not None and found[0] == text:
            tag = found[1]  # written at the first try, whose answer got lost
        if tag is not None:
            self.tag = tag
        return tag is not None
