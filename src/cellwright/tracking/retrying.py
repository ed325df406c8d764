"""Waiting for an MLflow that is away for a while."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cellwright.errors import CellwrightError
from cellwright.retrying import patient

T = TypeVar("T")

SHORT = 15.0
"""Seconds that a request is tried again for where nobody is told that it waits."""


class MlflowAway(CellwrightError):
    """MLflow did not answer, or could not do its work, which may pass."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to try again while MLflow is away.

    Args:
        seconds: how long; 0 tries once.
        say: told, once each time it begins to wait, why.
    """

    seconds: float = 0.0
    say: Callable[[str], None] = lambda message: None

    def __call__(self, work: Callable[[], T]) -> T:
        """Return what the work does, begun anew after each `MlflowAway`, the last of which is raised."""

        def tell(error: BaseException) -> None:
            self.say(f"{error}; waiting for it up to {self.seconds:.0f} s")

        return patient(_is_away, self.seconds, tell)(work)


def _is_away(error: BaseException) -> bool:
    return isinstance(error, MlflowAway)
