import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from cellwright.report.lines import Advance, LineProgress, read_line, write_line
from cellwright.runners import Outcome, local
from cellwright.runners.local import LocalRunner

SERVING = "from cellwright.runners.forking import serve; import sys; serve(lambda folder: exec(sys.argv[1]))"


@contextmanager
def runner_of(script: str, **limits) -> Iterator[LocalRunner]:
    """Return a runner whose trials run the script, which finds its folder in `folder`."""
    runner = LocalRunner(command=(sys.executable, "-c", SERVING, script), **limits)
    try:
        yield runner
    finally:
        runner.stop()


def outcome_of(script: str, folder: Path, **limits) -> Outcome:
    with runner_of(script, **limits) as runner:
        runner.start((3, 0), folder)
        outcome = runner.wait()
    assert outcome.key == (3, 0)
    return outcome


def test_a_trial_gets_its_folder_and_ends_well(tmp_path: Path):
    outcome = outcome_of("(folder / 'x').touch()", tmp_path)
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


def test_a_long_trial_says_how_far_it_is(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(local, "SECONDS_BETWEEN", 0.05)
    stream = io.StringIO()
    line = write_line(Advance("train", 2, 9, {"loss": 0.5}))
    script = f"import time; print({line!r}, flush=True); time.sleep(1)"
    outcome_of(script, tmp_path, progress=LineProgress(stream))
    (shown,) = set(stream.getvalue().splitlines())
    assert read_line(shown) == Advance("trial 1", 2, 9, {"evaluation": 3.0, "loss": 0.5})


CHILD = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], "pid").write_text(str(os.getpid()))
hoard = bytearray(300_000_000)
time.sleep(60)
"""
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}, str(folder)])"


def test_child_processes_count_as_memory_of_a_trial_and_are_killed_with_it(tmp_path: Path):
    failure = outcome_of(WITH_CHILD, tmp_path, max_memory=200 * 2**20).failure
    assert failure is not None and "more than runner.max_memory, 200 MiB" in failure
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "pid").read_text())).wait(timeout=30)


def test_trials_run_side_by_side_and_end_in_any_order(tmp_path: Path):
    with runner_of("import time; time.sleep(float(folder.name))") as runner:
        for number, seconds in enumerate(("3", "0.1")):
            (tmp_path / seconds).mkdir()
            runner.start((number, 0), tmp_path / seconds)
        assert runner.wait().key == (1, 0)


def test_trials_are_forks_of_one_process_after_each_other_which_a_failure_does_not_end(tmp_path: Path):
    script = """
import os
(folder / 'parent').write_text(str(os.getppid()))
os.kill(os.getpid(), 9 if folder.name == '1' else 0)
"""
    folders = [tmp_path / str(number) for number in range(3)]
    with runner_of(script) as runner:
        failures = []
        for number, folder in enumerate(folders):
            folder.mkdir()
            runner.start((number, 0), folder)
            failures.append(runner.wait().failure)
    assert failures == [None, "killed by SIGKILL", None]
    assert len({(folder / "parent").read_text() for folder in folders}) == 1


def test_a_process_that_cannot_start_trials_says_why(tmp_path: Path):
    runner = LocalRunner(command=(sys.executable, "-c", "import no_such_module"))
    runner.start((0, 0), tmp_path)
    assert runner.wait().failure == "ModuleNotFoundError: No module named 'no_such_module'"


def test_a_process_that_was_killed_between_trials_is_replaced(tmp_path: Path):
    with runner_of("pass") as runner:
        runner.start((0, 0), tmp_path)
        assert runner.wait().failure is None
        (idle,) = runner._idle
        idle.kill()
        idle.wait()
        runner.start((1, 0), tmp_path)
        assert runner.wait().failure is None


PARENT = """
import pathlib, sys, time
import psutil
from cellwright.runners.local import LocalRunner
runner = LocalRunner()
folder = pathlib.Path(sys.argv[1])
runner.start((0, 0), folder)
process = psutil.Process(runner._running[0].process.pid)
while not (forks := process.children()):
    time.sleep(0.05)
print(process.pid, forks[0].pid, flush=True)
runner.wait()
"""


def test_a_trial_dies_with_its_search(tmp_path: Path):
    os.mkfifo(tmp_path / "trial.json")  # a trial that waits for its request for ever
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert parent.stdout
    processes = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(processes) == 2 and all(process.is_running() for process in processes)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert not psutil.wait_procs(processes, timeout=60)[1]
