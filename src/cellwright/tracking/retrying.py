"""Waiting for an MLflow that is away for a while."""

from collections.abc import Callable

from cellwright.errors import CellwrightError
from cellwright.retrying import Retry

SHORT = 15.0
"""Seconds that a request is tried again for where nobody is told that it waits."""


class MlflowAway(CellwrightError):
    """MLflow did not answer, or could not do its work, which may pass."""


class NotAllowed(CellwrightError):
    """MLflow's users have rights, and this login's do not go so far."""


def mlflow_retry(*, seconds: float = 0.0, say: Callable[[str], None] = lambda message: None) -> Retry:
    """Return what repeats work while it raises `MlflowAway`.

    Args:
        seconds: how long; 0 tries once.
        say: told, once each time it begins to wait, why.
    """
    return Retry(
        lambda error: isinstance(error, MlflowAway),
        seconds=seconds,
        report=lambda error: say(f"{error}; waiting for it up to {seconds:.0f} s"),
    )
