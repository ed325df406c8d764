"""Makes a sampled search independent of the order in which its trials end."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def must_have_ended(started: Sequence[T], parallel: int) -> Sequence[T]:
    """Return the trials that must have ended before the next suggestion, given all trials in starting order.

    These are all but the last `parallel - 1`. The next suggestion depends only on them, so the same seed gives the same
    search wherever trials run and however many of them have ended.
    """
    return started[: max(0, len(started) - parallel + 1)]
