"""Detects requests from Katib that do not include all trials."""

import time

from cellwright.katib.searching import NotYetError

SECONDS = 5.0
"""Time in seconds after which a missing trial is considered lost."""


class CacheGuard:
    """Delays a reply until Katib's cache shows all trials of earlier replies.

    If Katib requests more before its cache shows the trials of the last reply, their numbers would be used twice. Katib
    also omits trials that ended without metrics, permanently, and these are to be repeated. The guard waits to tell the
    two cases apart.

    Args:
        seconds: how long to wait.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._missing = self._lost = 0
        self._since = 0.0

    def require_all(self, num_suggested: int, num_seen: int) -> None:
        """Raise NotYetError if fewer trials are seen than were suggested, and the missing ones may still appear."""
        missing = max(0, num_suggested - num_seen)
        if missing != self._missing:
            self._missing, self._since = missing, time.monotonic()
        self._lost = min(self._lost, missing)
        if missing == self._lost:
            return
        if time.monotonic() - self._since < self._seconds:
            raise NotYetError(f"{num_suggested} trials were suggested, {num_seen} of them are seen yet")
        self._lost = missing
