import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cellwright.errors import CellwrightError
from cellwright.forks import run_in_forks

ENDLESS = """
import os, sys, time
from pathlib import Path
from cellwright.forks import run_in_forks
def work(number):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(60)
list(run_in_forks(work, range(2), 2))
"""


def test_each_number_is_done_once_in_a_process_of_its_own(tmp_path: Path):
    def work(number: int) -> None:
        time.sleep(0.01 * (5 - number))
        with (tmp_path / str(number)).open("a") as file:
            file.write(f"{os.getpid()}\n")

    assert sorted(run_in_forks(work, range(6), 3)) == list(range(6))
    processes = [(tmp_path / str(number)).read_text().splitlines() for number in range(6)]
    assert [len(lines) for lines in processes] == [1] * 6
    assert len({str(os.getpid()), *(line for lines in processes for line in lines)}) == 7


def test_no_more_work_at_a_time_than_is_allowed(tmp_path: Path):
    def work(number: int) -> None:
        (tmp_path / str(number)).touch()
        at_a_time = len(list(tmp_path.iterdir()))
        time.sleep(0.02)
        (tmp_path / str(number)).unlink()
        if at_a_time > 2:
            raise ValueError(f"{at_a_time} at a time")

    assert len(list(run_in_forks(work, range(6), 2))) == 6


def test_where_processes_cannot_be_forked_this_one_does_the_work(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cellwright.forks.CAN_FORK", False)
    done: list[int] = []
    assert list(run_in_forks(done.append, range(3), 2)) == done == [0, 1, 2]


def test_a_failure_is_raised_with_its_reason():
    def work(number: int) -> None:
        if number == 2:
            raise OSError(28, "No space left on device")

    with pytest.raises(CellwrightError, match="No space left on device"):
        list(run_in_forks(work, range(9), 2))


def test_a_killed_fork_is_reported():
    with pytest.raises(CellwrightError, match="a process of prepare was killed"):
        list(run_in_forks(lambda number: os.kill(os.getpid(), signal.SIGKILL), range(2), 2))


def test_forks_end_with_the_iterator(tmp_path: Path):
    def work(number: int) -> None:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(60 if number else 0)

    numbers = run_in_forks(work, range(3), 3)
    assert next(numbers) == 0
    while len(list(tmp_path.iterdir())) < 3:
        time.sleep(0.01)
    numbers.close()
    assert not any(psutil.pid_exists(int(path.name)) for path in tmp_path.iterdir())


def test_forks_end_with_a_killed_process(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, tmp_path])
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.01)
    process.kill()
    process.wait()
    forks = [int(path.name) for path in tmp_path.iterdir()]
    ends = time.monotonic() + 10
    while any(psutil.pid_exists(fork) for fork in forks) and time.monotonic() < ends:
        time.sleep(0.01)
    assert not any(psutil.pid_exists(fork) and is_alive(fork) for fork in forks)


def is_alive(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
