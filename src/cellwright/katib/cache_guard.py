"""Whether a request shows all trials that there are."""

import time

from cellwright.katib.searching import NotYetError

SECONDS = 5.0
"""Seconds after which a trial that is not to be seen will not come any more."""


class CacheGuard:
    """Holds back an answer until Katib sees what it has made itself.

    Katib may ask for more before its cache shows the trials of the answer before, whose numbers would be given twice.
    It leaves out for good those that ended without metrics, which are to be tried once more: these are told from the
    others by waiting.

    Args:
        seconds: to wait.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._missing = self._lost = 0
        self._since = 0.0

    def require_all(self, num_suggested: int, num_seen: int) -> None:
        """Raise NotYetError where fewer trials are seen than were suggested, and those may still come."""
        missing = max(0, num_suggested - num_seen)
        if missing != self._missing:
            self._missing, self._since = missing, time.monotonic()
        self._lost = min(self._lost, missing)
        if missing == self._lost:
            return
        if time.monotonic() - self._since < self._seconds:
            raise NotYetError(f"{num_suggested} trials were suggested, {num_seen} of them are seen yet")
        self._lost = missing
