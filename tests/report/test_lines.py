import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.progress import Update
from cellwright.report.lines import (
    Advance,
    ErrorMessage,
    LineProgress,
    Message,
    messages_of,
    read_line,
    write_line,
)

texts = st.text(st.characters(codec=None))
metric_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.|/-]*", fullmatch=True)
events = st.one_of(
    st.builds(Message, texts),
    st.builds(ErrorMessage, texts),
    st.builds(
        Advance,
        task=texts,
        done=st.integers(0, 10**9),
        total=st.integers(0, 10**9),
        metrics=st.dictionaries(metric_names, st.floats(allow_nan=False)),
    ),
    st.builds(
        Update,
        st.sampled_from(["step", "trial"]),
        texts,
        texts,
        st.dictionaries(metric_names, st.floats(allow_nan=False)),
        st.none() | st.floats(allow_nan=False),
    ),
)


@given(events)
def test_an_event_survives_its_line(event):
    line = write_line(event)
    assert line.splitlines() == [line]
    assert read_line(line) == event


def test_a_metric_that_is_no_number_survives_its_line():
    event = read_line(write_line(Advance("search", 1, 2, {"loss": math.nan})))
    assert isinstance(event, Advance)
    assert math.isnan(event.metrics["loss"])


def test_people_can_read_the_lines():
    assert write_line(Message("β grows")) == 'message="β grows"'
    metrics = {"train_loss": 0.5, "validation_accuracy": 0.75}
    expected = 'task="search" done=3 total=20 train_loss=0.5 validation_accuracy=0.75'
    assert write_line(Advance("search", 3, 20, metrics)) == expected
    expected = 'trial="3" state="done" score=-0.5 loss=0.5'
    assert write_line(Update("trial", "3", "done", {"loss": 0.5}, -0.5)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loss=0.5",
        "Epoch 3: loss=0.5",
        "message=unquoted",
        'message="no end',
        r'message="no \escape"',
        'message="one" message="two"',
        ' message="indented"',
        'task="search" done=3',
        'task="search" done=-1 total=2',
        'task="search" done=1 total=2 loss=',
        'task="search" done=1 total=2 loss=0.5  accuracy=1.0',
        'task="search" done=1 total=2 loss=0x10',
        'task="search" done=1 total=2 loss=0.5 and more',
        'trial="3" state="done"',
        'epoch="3" state="done" score=none',
    ],
)
def test_other_lines_are_left_alone(line):
    assert read_line(line) is None


def test_a_metric_name_that_a_line_cannot_hold_is_refused():
    with pytest.raises(ValueError, match=r"must match .*, got 'val acc'"):
        write_line(Advance("search", 1, 2, {"val acc": 0.5}))


def test_progress_is_written_line_by_line():
    stream = io.StringIO()
    progress = LineProgress(stream)
    progress.log("first\nsecond")
    progress.advance("search", 1, 2, {"loss": 0.25})
    progress.fail("wrong")
    assert [read_line(line) for line in stream.getvalue().splitlines()] == [
        Message("first\nsecond"),
        Advance("search", 1, 2, {"loss": 0.25}),
        ErrorMessage("wrong"),
    ]


def test_a_steps_messages_are_found_in_its_log():
    said = ["evaluate: found: 0.97", "other: no", "evaluate: found: 0.97", "evaluate: resnet: 0.95"]
    log = "\n".join(["time=1 a line of KFP's", *(write_line(Message(text)) for text in said)])
    assert messages_of(log, "evaluate") == ["evaluate: found: 0.97", "evaluate: resnet: 0.95"]
