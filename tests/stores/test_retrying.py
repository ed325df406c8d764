import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ResponseStreamingError,
    SSLError,
)

from cellwright.stores.retrying import is_transient, s3_retry


def answer(status: int, code: str = "Some") -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetObject")


REFUSED = EndpointConnectionError(endpoint_url="http://s3")
PASSING = [
    answer(503, "SlowDown"),
    answer(500),
    answer(429),
    answer(400, "RequestTimeout"),
    answer(404, "NoSuchUpload"),
    REFUSED,
    ResponseStreamingError(error="reset"),
]
LASTING = [
    answer(403, "SignatureDoesNotMatch"),
    answer(404, "NoSuchBucket"),
    answer(412),
    answer(501),
    NoCredentialsError(),
    SSLError(endpoint_url="https://s3", error="self-signed certificate"),
    FileNotFoundError(),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_transient_errors_are_retried(error):
    assert is_transient(error)


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_permanent_errors_are_raised_at_once(error):
    calls = []

    def request() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        s3_retry("s3")(request)
    assert len(calls) == 1


def test_many_that_wait_report_it_once():
    told: list[str] = []
    retry = s3_retry("http://s3", log=told.append)
    together = threading.Barrier(4)

    def request_that_fails_first():
        failures = [REFUSED]

        def request() -> str:
            together.wait(10)
            if failures:
                raise failures.pop()
            return "answer"

        return request

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(retry, request_that_fails_first()) for _ in range(4)]
    assert [one.result() for one in answers] == ["answer"] * 4
    assert told == [f"waiting for http://s3: {REFUSED}"]


def test_retry_has_an_end():
    with pytest.raises(EndpointConnectionError):
        s3_retry("s3", log=lambda line: None, seconds=0.1)(lambda: throw(REFUSED))


def test_what_is_wanted_no_more_is_not_tried_again():
    retry = s3_retry("s3", log=lambda line: retry.ended.set())
    with pytest.raises(EndpointConnectionError):
        retry(lambda: throw(REFUSED))


def throw(error: Exception) -> None:
    raise error
