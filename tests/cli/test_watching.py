"""`cellwright watch`: a run is followed while another process writes its log."""

import os
import subprocess
import sys
from pathlib import Path

from cellwright.folders import forget_this_process, is_running, locked
from tests.cli.test_mistakes import assert_fails_with

RUNNING = """
import sys, time
from pathlib import Path
from cellwright.folders import locked
with locked(Path("runs/tiny")), open("runs/tiny/run.log", "w") as log:
    for line in ('    task="search" done=1 total=2 accuracy=0.5', "a library's own line", '    message="search: done"'):
        print(line, file=log, flush=True)
        print("written", flush=True)
        sys.stdin.readline()
    log.write('    error="no room"')
"""


def test_a_run_is_followed_until_it_ends(cellwright, tmp_path: Path, monkeypatch):
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING], stdin=pipe, stdout=pipe, text=True, cwd=tmp_path
    ) as process:
        process.stdout.readline()
        assert is_running(tmp_path / "runs" / "tiny")
        process.stdin.write("\n\n\n")
        process.stdin.flush()
        result = cellwright("watch", "runs/tiny")
    assert result.stdout.splitlines() == [
        "search 1/2: accuracy 0.5",
        "search: done",
        "error: no room",
    ]
    assert not is_running(tmp_path / "runs" / "tiny")


def test_a_run_has_ended_in_a_process_that_lives_on(tmp_path: Path):
    with locked(tmp_path / "runs" / "tiny"):
        assert is_running(tmp_path / "runs" / "tiny")
    forget_this_process(tmp_path / "runs" / "tiny")
    assert not is_running(tmp_path / "runs" / "tiny")


def test_what_is_no_run_is_named(cellwright, tmp_path: Path):
    with locked(tmp_path / "runs" / "tiny"):
        pass
    assert_fails_with(
        cellwright("watch", "runs/tiny"), "runs/tiny must be the folder of a run: it holds no run.log"
    )


def test_a_process_with_the_number_of_one_that_ended_is_not_the_run(tmp_path):
    with locked(tmp_path / "tiny"):
        pass
    lock = next((tmp_path / "tiny").rglob("lock"))
    assert is_running(tmp_path / "tiny")
    os.utime(lock, (0, 0))  # written before this process started
    assert not is_running(tmp_path / "tiny")
