"""Retries with exponential backoff for errors that may be temporary."""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tenacity

P = ParamSpec("P")
T = TypeVar("T")


class Retry:
    """Calls a function again while it raises temporary errors.

    One error is reported while any thread waits, not one for each thread.

    Args:
        is_transient: returns whether the error is temporary.
        seconds: time limit for retries, after which the last error is raised.
        report: receives the error before the first wait.
        report_after: number of the first attempt whose error is reported.
    """

    def __init__(
        self,
        is_transient: Callable[[BaseException], bool],
        *,
        seconds: float,
        report: Callable[[BaseException], None] = lambda error: None,
        report_after: int = 1,
    ) -> None:
        self.ended = threading.Event()
        """Set this to stop all retries."""
        self._report = report
        self._report_after = report_after
        self._waiting: set[int] = set()
        self._lock = threading.Lock()
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_transient),
            stop=tenacity.stop_after_delay(seconds) | tenacity.stop_when_event_set(self.ended),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            sleep=tenacity.sleep_using_event(self.ended),
            before_sleep=self._before_sleep,
            reraise=True,
        )

    def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of the call, or raise its last error."""
        try:
            return self._retrying(call, *args, **kwargs)
        finally:
            with self._lock:
                self._waiting.discard(threading.get_ident())

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number < self._report_after or error is None:
            return
        with self._lock:
            if not self._waiting:
                self._report(error)
            self._waiting.add(threading.get_ident())


def is_transient_status(status: int) -> bool:
    """Return whether an HTTP status means a temporary error."""
    return status in (408, 429) or (status >= 500 and status != 501)
