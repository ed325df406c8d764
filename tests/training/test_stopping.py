"""Processes that are asked to end."""

import os
import signal

import pytest

from cellwright.training.stopping import CODE, leaving, undivided


def test_a_block_ends_before_its_process_does_and_what_is_there_is_left():
    done: list[str] = []
    with pytest.raises(SystemExit) as stopped, leaving(lambda: done.append("left")), undivided():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("step")
    assert done == ["step", "left"]
    assert stopped.value.code == CODE
    with undivided():  # a notebook may train again
        done.append("next step")
    assert done[-1] == "next step"
