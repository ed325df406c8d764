"""Temporary errors of S3: lost connections, time-outs, throttling, and servers that are briefly unavailable."""

from collections.abc import Callable
from functools import partial

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from cellwright.retrying import Retry, is_transient_status

SECONDS = 180.0
"""How long to retry a request before its error is raised."""
PASSING = {"IncompleteBody", "NoSuchUpload", "OperationAborted", "RequestTimeout", "SlowDown", "Throttling"}
"""S3 error codes that are temporary whatever their status. Some arise when another process uploads the same object."""

say_line = partial(print, flush=True)


def s3_retry(what: str, *, log: Callable[[str], None] = say_line, seconds: float = SECONDS) -> Retry:
    """Return a `Retry` for requests to S3.

    Args:
        what: what the retries wait for, for the message.
        log: receives the message.
        seconds: time limit of one request with all its retries.
    """
    return Retry(is_transient, seconds=seconds, report=lambda error: log(f"waiting for {what}: {error}"))


def is_transient(error: BaseException) -> bool:
    """Return whether the error is temporary."""
    match error:
        case SSLError():
            return False
        case ClientError():
            return is_transient_status(status_of(error)) or error.response["Error"].get("Code") in PASSING
        case _:
            broken = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
            return isinstance(error, broken)


def status_of(error: ClientError) -> int:
    """Return the HTTP status of S3's response."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
