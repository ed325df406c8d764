import io

import pytest

from cellwright import progress
from cellwright.progress import EpochProgress
from cellwright.report.lines import Advance, LineProgress, Message, read_line


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_long_epoch_says_how_far_it_is_and_how_long_it_takes(clock: Clock):
    stream = io.StringIO()
    within = EpochProgress(LineProgress(stream), "search", epochs=3, batches=20)
    within.plan(1, 640)
    clock.now += 60  # what comes before the first batch does not count
    for batch in range(1, 21):
        within.step(2, batch)
        clock.now += 6
    events = [read_line(line) for line in stream.getvalue().splitlines()]
    assert events[0] == Message("search: 3 epochs, 1 of them done, each of 20 batches of 640 examples")
    positions = [
        (event.done, event.total, event.metrics) for event in events[1:] if isinstance(event, Advance)
    ]
    assert positions[0] == (1, 3, {"batch": 3, "batches": 20, "minutes_left": 3.7})
    assert [metrics["batch"] for _, _, metrics in positions] == list(range(3, 20, 2))
    assert positions[-1][2]["minutes_left"] == 2.1


def test_short_epochs_say_nothing_from_within_but_the_time_left_now_and_then(clock: Clock):
    stream = io.StringIO()
    within = EpochProgress(LineProgress(stream), "train found", epochs=50, batches=2)
    for epoch in range(1, 11):
        for batch in (1, 2):
            within.step(epoch, batch)
            clock.now += 1
    events = [read_line(line) for line in stream.getvalue().splitlines()]
    assert events == [Advance("train found", 5, 50, {"batch": 1, "batches": 2, "minutes_left": 1.5})]


def test_lines_for_people_have_few_digits():
    stream = io.StringIO()
    LineProgress(stream, digits=4).advance("search", 1, 2, {"loss": 0.123456789, "params": 1234567})
    assert stream.getvalue() == 'task="search" done=1 total=2 loss=0.1235 params=1234567.0\n'
