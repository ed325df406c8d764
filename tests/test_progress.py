import io

import pytest

from cellwright import progress
from cellwright.progress import EpochProgress, TimeLeft
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
    clock.now += 60  # what comes before the first batch does not count in the time left
    for batch in range(1, 21):
        within.step(2, batch)
        clock.now += 6
    events = [read_line(line) for line in stream.getvalue().splitlines()]
    assert events[0] == Message("search: 3 epochs, 1 of them done, each of 20 batches of 640 examples")
    positions = [
        (event.done, event.total, event.metrics) for event in events[1:] if isinstance(event, Advance)
    ]
    assert positions[0] == (1, 3, {"batch": 1, "batches": 20})
    assert positions[1] == (1, 3, {"batch": 3, "batches": 20, "minutes_left": 3.7})
    assert [metrics["batch"] for _, _, metrics in positions] == list(range(1, 20, 2))
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


def test_the_time_left_follows_from_the_time_so_far_unless_it_is_known(clock: Clock):
    left = TimeLeft()
    assert left.add("search", 10, 40, {"loss": 0.5}) == {"loss": 0.5}  # resumed, at an unknown speed
    clock.now += 30
    assert left.add("search", 20, 40, {}) == {"minutes_left": 1.0}
    assert left.add("search", 20, 40, {"minutes_left": 9.0}) == {"minutes_left": 9.0}
    assert left.add("search", 40, 40, {}) == {}
    assert left.add("search", 1, 40, {}) == {}  # another search
    clock.now += 60
    assert left.add("search", 11, 40, {}) == {"minutes_left": 2.9}
