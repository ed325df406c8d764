"""Runs the pipeline locally: kfp.local runs each component in a separate process, one after the other."""

import contextlib
import io
import json
import os
import shlex
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TextIO

import psutil
from kfp import local
from kfp.local import subprocess_task_handler
from kfp.local.config import LocalExecutionConfig

from cellwright.errors import CellwrightError
from cellwright.folders import claim
from cellwright.progress import Progress, Update
from cellwright.report.lines import INDENT, RUN_LOG, Advance, ErrorMessage, Message, read_line, show
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright_pipelines.pipeline import build_pipeline

STOP_SECONDS = 60.0
"""Grace period of a step that is asked to stop."""
SHELLS = ("sh", "bash", "dash")


def run_pipeline(spec: SearchSpec, workspace: Path, progress: Progress) -> dict[str, Path]:
    """Run the pipeline, and return the finished folders in the workspace, by step name.

    kfp's own files there are deleted. All output goes to `run.log` in the workspace, and the steps' progress also to
    `progress`.

    Raises:
        CellwrightError: a step reports an error that the user can fix, or was killed.
        RuntimeError: a step failed because of a bug; the message has its traceback.
    """
    root = workspace / "kfp"
    with contextlib.ExitStack() as stack:
        claim(workspace / RUN_LOG)
        claim(root)
        log = stack.enter_context((workspace / RUN_LOG).open("w", encoding="utf-8"))
        shutil.rmtree(root, ignore_errors=True)
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="cellwright-"))
        stack.enter_context(_environment({"TMPDIR": scratch, "PYTHONSAFEPATH": "1"}))
        pipeline = build_pipeline(spec)
        output = stack.enter_context(contextlib.closing(_Output(log, progress)))
        stack.enter_context(_kfp_local(root))
        try:
            with contextlib.redirect_stdout(output), passing_on_sigterm():
                pipeline(workspace=str(workspace))
        except RuntimeError:
            raise _reason(output, workspace, _finished(root, workspace)) from None
        return _finished(root, workspace)


@contextlib.contextmanager
def passing_on_sigterm(seconds: float = STOP_SECONDS) -> Iterator[None]:
    """On SIGTERM, let the running step exit first, so that it can save its progress."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)

    def pass_on(number: int, frame: FrameType | None) -> None:
        steps = list(_first_beyond_shells(psutil.Process()))
        for step in steps:
            with contextlib.suppress(psutil.NoSuchProcess):
                step.terminate()
        psutil.wait_procs(steps, timeout=seconds)
        if callable(before):
            before(number, frame)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _first_beyond_shells(process: psutil.Process) -> Iterator[psutil.Process]:
    """Yield the child processes, but replace shells by their children, since shells would not wait for them."""
    for child in process.children():
        if child.name() in SHELLS:
            yield from _first_beyond_shells(child)
        else:
            yield child


class _Output(io.TextIOBase):
    """Replaces standard output: logs everything, and passes the steps' progress on to the display.

    kfp indents the output of steps, but not its own.
    """

    def __init__(self, log: TextIO, progress: Progress) -> None:
        self.problems: list[str] = []
        self.traceback: list[str] = []
        self._log = log
        self._progress = progress
        self._unfinished = ""
        self._in_traceback = False

    def write(self, text: str) -> int:
        self._log.write(text)
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            self._take(line)
        return len(text)

    def _take(self, line: str) -> None:
        printed = line.removeprefix(INDENT)
        match read_line(printed):
            case Message() | Advance() | Update() as event:
                show(event, self._progress)
            case ErrorMessage(text):
                self.problems.append(text)
            case None:
                starts = printed.startswith("Traceback ") and not self.traceback
                self._in_traceback = printed != line and (starts or self._in_traceback)
                if self._in_traceback:
                    self.traceback.append(printed)


def _reason(output: _Output, workspace: Path, finished: Mapping[str, Path]) -> Exception:
    """Return the exception for a run with a failed step, since kfp gives no reason."""
    if output.problems:
        return CellwrightError("\n".join(dict.fromkeys(output.problems)))
    failed = next(step for step in STEPS if step not in finished)
    if output.traceback:
        return RuntimeError("\n".join([f"{failed} failed:", *output.traceback]))
    return CellwrightError(
        f"{failed} must end by itself, but was stopped, as a process is that wants more memory than there "
        f"is; see {workspace / RUN_LOG}"
    )


def _finished(root: Path, workspace: Path) -> dict[str, Path]:
    """Return the folders in the workspace that the artifacts of the latest attempt link to."""
    records = [json.loads(path.read_bytes()) for path in root.glob("*/*/*/step.json")]
    return {record["step"]: workspace / f"{record['step']}-{record['key']}" for record in records}


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for child processes.

    TMPDIR, since kfp leaves a folder there for each step. PYTHONSAFEPATH, since kfp starts steps with `-m`, and a
    `queue.py` in the current folder would replace Python's own.
    """
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _kfp_local(root: Path) -> Iterator[None]:
    """Configure kfp to run pipelines locally with this interpreter, without irrelevant warnings."""
    replace = subprocess_task_handler.replace_python_executable
    subprocess_task_handler.replace_python_executable = _use_interpreter
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*non-Python base image", RuntimeWarning)
            warnings.filterwarnings("ignore", ".*no effect in the current local runner", UserWarning)
            runner = local.SubprocessRunner(use_venv=False)
            local.init(runner, pipeline_root=str(root), workspace_root=str(root / "workspace"))
            yield
    finally:
        subprocess_task_handler.replace_python_executable = replace
        LocalExecutionConfig.instance = None


def _use_interpreter(command: list[str], interpreter: str) -> list[str]:
    """Replace the interpreter in the shell script `sh -ec SCRIPT SOURCE ARG…`, and nowhere else.

    kfp's own function replaces `python3` in every argument, including paths, and does not quote spaces.
    """
    shell, flags, script, *arguments = command
    return [shell, flags, script.replace("python3", shlex.quote(interpreter)), *arguments]
