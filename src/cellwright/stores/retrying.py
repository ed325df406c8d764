"""Waiting out what passes: connections that are reset, time-outs, throttling, a server that refuses for a while."""

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import tenacity
from botocore.exceptions import (
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    SSLError,
)
from botocore.parsers import ResponseParserError

SECONDS = 180.0
"""How long a request is repeated before its error is raised."""
PASSING = {"IncompleteBody", "NoSuchUpload", "OperationAborted", "RequestTimeout", "SlowDown", "Throttling"}
"""Codes of S3 that may pass whatever their status; another process that stores the same ends uploads."""

T = TypeVar("T")
say_line = partial(print, flush=True)


class Patience:
    """Repeats requests, with backoff; says once why, however many wait at the same time.

    Args:
        what: that is waited for.
        say: is told why.
        seconds: of one request, with all its repetitions.
    """

    def __init__(self, what: str, *, say: Callable[[str], None] = say_line, seconds: float = SECONDS) -> None:
        self.ended = threading.Event()
        """Once it is set, nothing is repeated any more."""
        self._what = what
        self._say = say
        self._waiting: set[int] = set()
        self._lock = threading.Lock()
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_pass),
            stop=tenacity.stop_after_delay(seconds) | tenacity.stop_when_event_set(self.ended),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            sleep=tenacity.sleep_using_event(self.ended),
            before_sleep=self._tell,
            reraise=True,
        )

    def __call__(self, request: Callable[[], T]) -> T:
        """Return what the request does, or raise what it raises for good."""
        try:
            return self._retrying(request)
        finally:
            self._waiting.discard(threading.get_ident())

    def _tell(self, state: tenacity.RetryCallState) -> None:
        with self._lock:
            if not self._waiting and state.outcome:
                self._say(f"waiting for {self._what}: {state.outcome.exception()}")
            self._waiting.add(threading.get_ident())


def may_pass(error: BaseException) -> bool:
    """Tell whether the same request may be answered later."""
    match error:
        case SSLError():
            return False
        case ClientError():
            status = status_of(error)
            passes = status in (408, 429) or (status >= 500 and status != 501)
            return passes or error.response["Error"].get("Code") in PASSING
        case _:
            broken = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
            return isinstance(error, broken)


def status_of(error: ClientError) -> int:
    """Return the HTTP status of S3's answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
