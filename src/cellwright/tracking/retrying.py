"""Waiting for an MLflow that is away for a while."""

from collections.abc import Callable

from cellwright.errors import CellwrightError, RefusedError
from cellwright.retrying import Retry

SHORT = 15.0
"""Seconds that a request is tried again for where nobody is told that it waits."""

WAIT_SECONDS = 300.0
"""Seconds to wait for it in a step, which says that it waits."""


class MlflowUnavailable(CellwrightError):
    """MLflow did not answer, or could not do its work, which may pass."""


class NotAllowed(RefusedError):
    """MLflow's users have rights, and this login's do not go so far."""


def mlflow_retry(*, seconds: float = 0.0, log: Callable[[str], None] = lambda message: None) -> Retry:
    """Return what repeats work while it raises `MlflowUnavailable`.

    Args:
        seconds: how long; 0 tries once.
        log: told, once each time it begins to wait, why.
    """
    return Retry(
        lambda error: isinstance(error, MlflowUnavailable),
        seconds=seconds,
        report=lambda error: log(f"{error}; waiting for it up to {seconds:.0f} s"),
    )
