"""How far a sampled search knows its trials, whatever the order that they end in."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def settled(begun: Sequence[T], parallel: int) -> Sequence[T]:
    """Return those of the trials, in the order they began, whose end the next suggestion waits for and follows from.

    All but the last `parallel - 1`: so that the same seed gives the same search wherever trials run, and however many
    of them have ended.
    """
    return begun[: max(0, len(begun) - parallel + 1)]
