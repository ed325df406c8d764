import pytest

from cellwright.retrying import Retry, is_transient_status


def failing(times: int):
    """A call that fails so many times, and then gives what it is given."""
    left = [OSError(f"failure {number}") for number in range(1, times + 1)]

    def call(answer: str, *, loud: bool = False) -> str:
        if left:
            raise left.pop(0)
        return answer.upper() if loud else answer

    return call


def retry(**settings) -> Retry:
    return Retry(lambda error: isinstance(error, OSError), **{"seconds": 60, **settings})


def test_a_call_is_repeated_with_its_arguments_until_it_succeeds():
    assert retry()(failing(2), "answer", loud=True) == "ANSWER"


def test_permanent_errors_are_raised_at_once():
    with pytest.raises(KeyError):
        retry()({}.__getitem__, "missing")


def test_the_last_error_is_raised_in_the_end():
    with pytest.raises(OSError, match="failure 1"):
        retry(seconds=0)(failing(9), "answer")


@pytest.mark.parametrize(("report_after", "expected"), [(1, ["failure 1"]), (2, ["failure 2"]), (3, [])])
def test_the_reason_for_waiting_is_reported_once_and_not_too_soon(report_after: int, expected: list[str]):
    heard: list[str] = []
    retry(report=lambda error: heard.append(str(error)), report_after=report_after)(failing(2), "answer")
    assert heard == expected


def test_each_wait_is_reported():
    heard: list[str] = []
    patient = retry(report=lambda error: heard.append(str(error)))
    for _ in range(2):
        patient(failing(1), "answer")
    assert heard == ["failure 1", "failure 1"]


def test_nothing_is_repeated_once_it_is_ended():
    patient = retry()
    patient.ended.set()
    with pytest.raises(OSError, match="failure 1"):
        patient(failing(1), "answer")


@pytest.mark.parametrize(
    ("status", "passes"), [(408, True), (429, True), (500, True), (503, True), (501, False), (404, False)]
)
def test_a_status_shows_whether_a_retry_may_succeed(status: int, passes: bool):
    assert is_transient_status(status) == passes
