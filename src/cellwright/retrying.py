"""Trying again, less and less often, for as long as what is in the way may pass."""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tenacity

P = ParamSpec("P")
T = TypeVar("T")


class Retry:
    """Calls functions again while they raise what may pass; says once why, however many threads wait at a time.

    Args:
        may_pass: tells whether a call that raised the error may succeed later.
        seconds: after which no call is made again, and the last error is raised.
        tell: given the error that is waited out.
        tell_after: the attempt after which it is worth telling.
    """

    def __init__(
        self,
        may_pass: Callable[[BaseException], bool],
        *,
        seconds: float,
        tell: Callable[[BaseException], None] = lambda error: None,
        tell_after: int = 1,
    ) -> None:
        self.ended = threading.Event()
        """Once it is set, nothing is called again any more."""
        self._tell = tell
        self._tell_after = tell_after
        self._waiting: set[int] = set()
        self._lock = threading.Lock()
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_pass),
            stop=tenacity.stop_after_delay(seconds) | tenacity.stop_when_event_set(self.ended),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            sleep=tenacity.sleep_using_event(self.ended),
            before_sleep=self._before_sleep,
            reraise=True,
        )

    def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call does, or raise what it raises for good."""
        try:
            return self._retrying(call, *args, **kwargs)
        finally:
            with self._lock:
                self._waiting.discard(threading.get_ident())

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number < self._tell_after or error is None:
            return
        with self._lock:
            if not self._waiting:
                self._tell(error)
            self._waiting.add(threading.get_ident())


def status_may_pass(status: int) -> bool:
    """Tell whether a server that answers with the HTTP status may do better later."""
    return status in (408, 429) or (status >= 500 and status != 501)
