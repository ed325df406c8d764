"""What of S3 may pass: connections that are reset, time-outs, throttling, a server that refuses for a while."""

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

from cellwright.retrying import Retry, status_may_pass

SECONDS = 180.0
"""How long a request is repeated before its error is raised."""
PASSING = {"IncompleteBody", "NoSuchUpload", "OperationAborted", "RequestTimeout", "SlowDown", "Throttling"}
"""Codes of S3 that may pass whatever their status; another process that stores the same ends uploads."""

say_line = partial(print, flush=True)


def s3_retry(what: str, *, say: Callable[[str], None] = say_line, seconds: float = SECONDS) -> Retry:
    """Return what repeats requests to S3.

    Args:
        what: that is waited for.
        say: is told why.
        seconds: of one request, with all its repetitions.
    """
    return Retry(may_pass, seconds=seconds, tell=lambda error: say(f"waiting for {what}: {error}"))


def may_pass(error: BaseException) -> bool:
    """Tell whether the same request may be answered later."""
    match error:
        case SSLError():
            return False
        case ClientError():
            return status_may_pass(status_of(error)) or error.response["Error"].get("Code") in PASSING
        case _:
            broken = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)
            return isinstance(error, broken)


def status_of(error: ClientError) -> int:
    """Return the HTTP status of S3's answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
