"""Streams, users and environments as people have them: no traceback, and nothing lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cellwright.cli import processes
from cellwright.errors import CellwrightError

CELLWRIGHT = Path(sys.executable).with_name("cellwright")
GENOTYPE = "darts:normal~2~0.skip_connect,1.dil_conv_5x5:reduce~2~0.avg_pool_3x3,1.sep_conv_5x5"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `cellwright` is the command."""
    bash = ["bash", "-c", f"set -o pipefail; cellwright() {{ '{CELLWRIGHT}' \"$@\"; }}; {command}"]
    return subprocess.run(bash, env=os.environ | environment, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    "command",
    [
        f"cellwright show {GENOTYPE} | head -1 > /dev/null",
        "cellwright schema | true",
        f"cellwright show {GENOTYPE} >&-",
        f"cellwright show {GENOTYPE} 2>&-",
        f"cellwright show {GENOTYPE} <&-",
        "cellwright show nothing 2>/dev/full",
    ],
)
def test_streams_that_are_cut_off_or_closed_show_no_traceback(command):
    done = shell(command)
    assert done.returncode in (0, 1, 141)
    assert done.stderr in ("", "error: nothing must exist, and does not\n")


def test_a_full_standard_output_is_named_once():
    done = shell("cellwright schema > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "error: cannot write standard output: No space left on device\n"


def test_a_file_never_takes_the_place_of_a_closed_stream(tmp_path):
    (tmp_path / "s.yaml").write_text("name: t\ndata: {source: digits}\n")
    done = shell(f"cd {tmp_path} && cellwright compile s.yaml -o p.yaml >&- 2>&-")
    assert done.returncode == 0
    assert "wrote the pipeline" not in (tmp_path / "p.yaml").read_text()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_a_terminal_lacks_are_replaced(encoding):
    done = shell(f"cellwright show {GENOTYPE}", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "input 0 -skip_connect--+> node 0" in done.stdout


def test_a_user_without_name_and_home_needs_neither():
    outside = ["unshare", "-U", "--map-user=12345"]
    if subprocess.run([*outside, "true"], capture_output=True).returncode:
        pytest.skip("making a user namespace must be permitted")
    code = "from cellwright import account; account.complete_account(); import mlflow, getpass; getpass.getuser()"
    names = ["env", "-u", "HOME", "-u", "USER", "-u", "LOGNAME"]
    done = subprocess.run([*outside, *names, sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    command = [*outside, *names, CELLWRIGHT, "runs", "--host", "localhost:x"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr.startswith("error: --host must be a URL")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2, so RANK must be set too"),
        ({"WORLD_SIZE": "auto"}, "WORLD_SIZE must be a whole number from 1, .* got 'auto'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE must be a whole number from 1, .* got '0'"),
        ({"WORLD_SIZE": "2", "RANK": "-1"}, "RANK must be a whole number from 0, .* got '-1'"),
        (
            {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"},
            "MASTER_ADDR must be set too",
        ),
    ],
)
def test_half_of_what_torchrun_sets_is_refused_by_name(monkeypatch, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CellwrightError, match=message), processes.together():
        pass


def test_an_empty_world_size_is_none(cellwright, spec, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "")
    assert cellwright("validate", spec).exit_code == 0


def test_what_ends_a_process_lets_it_remove_its_temporary_folders(tmp_path):
    code = (
        "import os, signal, sys, tempfile\n"
        "from cellwright.cli import app, specs\n"
        "def killed(*_):\n"
        "    with tempfile.TemporaryDirectory(prefix='cellwright-'):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "specs.spec_schema = killed\n"
        "sys.argv[1:] = ['schema']\n"
        "app.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 143
    assert done.stderr == "interrupted: run the same command again to resume\n"
    assert list(tmp_path.iterdir()) == []
