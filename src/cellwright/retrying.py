"""Trying again, less and less often, for as long as what is in the way may pass."""

from collections.abc import Callable

import tenacity


def patient(
    passes: Callable[[BaseException], bool],
    seconds: float,
    tell: Callable[[BaseException], None],
    *,
    tell_after: int = 1,
) -> tenacity.Retrying:
    """Return what calls a function again while it raises what may pass; the last error is raised.

    Args:
        passes: tells whether an error may pass.
        seconds: after which no call is begun.
        tell: given the error that is waited out, once.
        tell_after: the attempt after which it is worth telling.
    """

    def say(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number == tell_after and error is not None:
            tell(error)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_exponential(multiplier=0.5, max=10),
        before_sleep=say,
        reraise=True,
    )
