import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cellwright.runners import Outcome
from cellwright.runners.local import LocalRunner


def outcome_of(script: str, folder: Path, **limits) -> Outcome:
    runner = LocalRunner(command=(sys.executable, "-c", script), **limits)
    runner.start((3, 0), folder)
    outcome = runner.wait()
    assert outcome.key == (3, 0)
    return outcome


def test_a_trial_gets_its_folder_and_ends_well(tmp_path: Path):
    outcome = outcome_of("import sys, pathlib; pathlib.Path(sys.argv[1], 'x').touch()", tmp_path)
    assert outcome.failure is None
    assert (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        ("raise ValueError('no such channel')", {}, "ValueError: no such channel"),
        ("print('error=\"must be at least 1\"'); raise SystemExit(1)", {}, "must be at least 1"),
        ("import os; os.kill(os.getpid(), 9)", {}, "killed by SIGKILL"),
        ("raise SystemExit(3)", {}, "exit code 3"),
        ("import time; time.sleep(60)", {"max_seconds": 0.3}, "took longer than runner.max_seconds, 0.3 s"),
        (
            "import time; hoard = bytearray(300_000_000); time.sleep(60)",
            {"max_memory": 100 * 2**20},
            "more than runner.max_memory, 100 MiB",
        ),
    ],
)
def test_a_failure_has_its_reason(script: str, limits: dict, reason: str, tmp_path: Path):
    failure = outcome_of(script, tmp_path, **limits).failure
    assert failure is not None and reason in failure


CHILD = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], "pid").write_text(str(os.getpid()))
hoard = bytearray(300_000_000)
time.sleep(60)
"""
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}, sys.argv[1]])"


def test_child_processes_count_as_memory_of_a_trial_and_are_killed_with_it(tmp_path: Path):
    failure = outcome_of(WITH_CHILD, tmp_path, max_memory=200 * 2**20).failure
    assert failure is not None and "more than runner.max_memory, 200 MiB" in failure
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "pid").read_text())).wait(timeout=30)


def test_trials_run_side_by_side_and_end_in_any_order(tmp_path: Path):
    script = "import sys, time, pathlib; time.sleep(float(pathlib.Path(sys.argv[1]).name))"
    runner = LocalRunner(command=(sys.executable, "-c", script))
    for number, seconds in enumerate(("3", "0.1")):
        (tmp_path / seconds).mkdir()
        runner.start((number, 0), tmp_path / seconds)
    assert runner.wait().key == (1, 0)
    runner.stop()


PARENT = """
import pathlib, sys
from cellwright.runners.local import LocalRunner
runner = LocalRunner()
folder = pathlib.Path(sys.argv[1])
runner.start((0, 0), folder)
print(runner._running[0].process.pid, flush=True)
runner.wait()
"""


def test_a_trial_dies_with_its_search(tmp_path: Path):
    os.mkfifo(tmp_path / "trial.json")  # a trial that waits for its request for ever
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert parent.stdout
    trial = Path("/proc") / parent.stdout.readline().decode().strip()
    assert trial.exists()
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 60
    while trial.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not trial.exists()
