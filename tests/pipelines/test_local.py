import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kfp.local.config import LocalExecutionConfig

from cellwright.errors import CellwrightError
from cellwright.progress import Update
from cellwright.spec import Tracking, pack_spec, parse_spec, unpack_spec
from cellwright_pipelines import local, run_locally
from tests.pipelines.fake_steps import pipeline_saying

SPEC = parse_spec('{"name": "fake", "data": {"source": "digits"}}')
ROOT = Path(__file__).parents[2]


class Heard:
    def __init__(self) -> None:
        self.events: list[object] = []

    def log(self, message):
        self.events.append(message)

    def advance(self, task, done, total, metrics):
        self.events.append((task, done, total, dict(metrics)))

    def update(self, update):
        self.events.append(update)


@pytest.fixture
def run(tmp_path, monkeypatch):
    def run_saying(word: str, workspace: Path = tmp_path / "fake") -> tuple[dict[str, Path], list[object]]:
        monkeypatch.setattr(local, "build_pipeline", lambda spec: pipeline_saying(word))
        heard = Heard()
        folders = run_locally(SPEC, workspace, heard)
        first, *events = heard.events
        assert str(first).startswith("running prepare, ") and str(first).endswith("/run.log")
        return folders, events

    return run_saying


def test_the_steps_lines_reach_the_display_and_all_else_the_log(run, tmp_path, capfd):
    folders, events = run("well")
    assert folders == {"prepare": tmp_path / "fake" / "prepare-0123"}
    trial = Update("trial", "3", "done", {"loss": 0.5}, -0.5)
    assert events == ["word: well", ("prepare", 1, 2, {"loss": 0.5}), trial, "pipeline: succeeded"]
    log = (tmp_path / "fake" / "run.log").read_text()
    assert "words of a library" in log and "Executing task" in log
    assert capfd.readouterr() == ("", "")


def test_a_spec_arrives_as_it_was_sent(run):
    """Written as JSON, the first of these ends kfp in a traceback, and the others arrive as something else."""
    texts = [
        "{{$}}",
        "{{$.pipeline_job_uuid}}",
        "{{=1+1}}",
        "{{workflow.name}}",
        "$(HOME) ${HOME} '\"\\ größe",
    ]
    tags = {str(number): text for number, text in enumerate(texts)}
    spec = SPEC.model_copy(update={"tracking": Tracking(tags=tags)})
    _, events = run(pack_spec(spec))
    assert unpack_spec(str(events[0]).removeprefix("word: ")) == spec


def test_a_run_leaves_nothing_of_itself_behind(run, tmp_path):
    before = dict(os.environ)
    run("well")
    run("well")
    assert len(list((tmp_path / "fake" / "kfp").iterdir())) == 1
    assert dict(os.environ) == before
    assert LocalExecutionConfig.instance is None
    interpreter, scratch = (tmp_path / "fake" / "interpreter").read_text().split("\n")
    assert interpreter == sys.executable
    assert not Path(scratch).exists()


def test_paths_may_hold_blanks_and_the_word_python3(run, tmp_path):
    workspace = tmp_path / "my python3 runs" / "fake"
    folders, events = run("well, python3", workspace)
    assert folders == {"prepare": workspace / "prepare-0123"}
    assert events[0] == "word: well, python3"


def test_an_interpreter_with_blanks_in_its_path_is_quoted():
    command = ["sh", "-ec", 'python3 -m kfp "$@"', "source", "--input", "/usr/lib/python3"]
    assert local._use_interpreter(command, "/my venv/bin/python") == [
        "sh",
        "-ec",
        "'/my venv/bin/python' -m kfp \"$@\"",
        "source",
        "--input",
        "/usr/lib/python3",
    ]


def test_an_error_in_a_step_is_reported_with_its_message(run):
    with pytest.raises(CellwrightError) as raised:
        run("mend")
    assert str(raised.value) == "digits.npz: must hold labels"


def test_a_bug_in_a_step_shows_the_steps_traceback(run):
    with pytest.raises(RuntimeError) as raised:
        run("bug")
    first, second, *_, last = str(raised.value).strip().splitlines()
    assert (first, second) == ("prepare failed:", "Traceback (most recent call last):")
    assert last == "KeyError: 'no such thing'"


def test_a_killed_step_is_named(run, tmp_path):
    log = tmp_path / "fake" / "run.log"
    with pytest.raises(CellwrightError, match=f"prepare must end by itself, but was stopped.*see {log}"):
        run("killed")


def test_a_full_disk_in_a_step_names_the_workspace(run, tmp_path):
    with pytest.raises(OSError, match="No space left on device") as raised:
        run("disk")
    assert raised.value.filename == str(tmp_path / "fake")


@pytest.fixture
def sleeping(tmp_path):
    """A run in a process of its own whose step sleeps; and the step's process id."""
    script = (
        "from cellwright_pipelines import local, run_locally; from tests.pipelines.fake_steps import pipeline_saying;"
        "from tests.pipelines.test_local import SPEC, Path; from cellwright.progress import Silent;"
        "local.build_pipeline = lambda spec: pipeline_saying('sleep');"
        f"run_locally(SPEC, Path({str(tmp_path)!r}), Silent())"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    parent = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    pid = tmp_path / "pid"
    wait_until(lambda: (pid.exists() and pid.read_text()) or parent.poll() is not None)
    yield parent, int(pid.read_text())
    parent.kill()
    parent.communicate()


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_stopped_run_stops_its_step(sleeping, stop):
    parent, step = sleeping
    parent.send_signal(stop)
    parent.wait(timeout=20)
    wait_until(lambda: not is_running(step))


def test_two_runs_cannot_share_a_workspace(sleeping, run, tmp_path):
    with pytest.raises(CellwrightError, match=f"{tmp_path} must be used by one process at a time"):
        run("well", tmp_path)


def wait_until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_request_to_end_reaches_the_step_and_waits_for_it(tmp_path):
    program = """
import signal, subprocess, sys
from cellwright_pipelines.local import passing_on_sigterm
step = "import signal, sys, time, pathlib; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), " \\
       "pathlib.Path(sys.argv[1]).write_text('left'), sys.exit(0))); print('ready', flush=True); time.sleep(60)"
with passing_on_sigterm():
    subprocess.run(["sh", "-c", f'{sys.executable} -c "{step}" {sys.argv[1]}; true'])
"""
    left = tmp_path / "left"
    command = [sys.executable, "-c", program, str(left)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert left.read_text() == "left"
