"""Processes that are asked to end."""

import os
import signal

import pytest

from cellwright.training.stopping import CODE, on_sigterm, sigterm_deferred


def test_a_block_ends_before_its_process_and_what_is_there_is_saved():
    done: list[str] = []
    with pytest.raises(SystemExit) as stopped, on_sigterm(lambda: done.append("left")), sigterm_deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("step")
    assert done == ["step", "left"]
    assert stopped.value.code == CODE
    with sigterm_deferred():  # a notebook may train again
        done.append("next step")
    assert done[-1] == "next step"
