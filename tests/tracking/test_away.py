"""MLflow that is away for a while, and a process that logs while a step works."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from mlflow import MlflowClient

from cellwright.errors import CellwrightError
from cellwright.tracking import (
    LiveLogging,
    MlflowTracker,
    MlflowUnavailable,
    Pace,
    RunRecord,
    Target,
    TrialRecord,
    mlflow_retry,
)
from tests.servers import MlflowServer
from tests.tracking.test_trials import require_complete

QUICK = Pace(every=0.2, at_end=30)


@pytest.fixture
def record(record: RunRecord, trials: tuple[TrialRecord, ...]) -> RunRecord:
    return replace(record, artifacts={}, trials=trials)


@contextmanager
def answering(status: int) -> Iterator[str]:
    """An address where every request is answered with the status."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(status if "health" not in self.path else 200)
            self.end_headers()
            self.wfile.write(b"<html>no</html>")

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_temporary_failure_counts_as_unavailable(status: int):
    with answering(status) as address, pytest.raises(MlflowUnavailable, match=str(status)):
        MlflowTracker(uri=address, experiment="cells")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_raised_at_once(status: int):
    retry = mlflow_retry(seconds=1e6)
    with answering(status) as address, pytest.raises(CellwrightError, match=str(status)) as caught:
        MlflowTracker(uri=address, experiment="cells", retry=retry)
    assert not isinstance(caught.value, MlflowUnavailable)


def test_waiting_ends():
    said: list[str] = []
    with pytest.raises(MlflowUnavailable, match="Connection refused"):
        MlflowTracker(
            uri="http://127.0.0.1:9", experiment="cells", retry=mlflow_retry(seconds=1, log=said.append)
        )
    assert len(said) == 1 and "no server answers there" in said[0] and "up to 1 s" in said[0]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_a_step_does_is_seen_while_it_works(server: MlflowServer, record: RunRecord):
    """The server is killed on the way, and back before the end."""
    said: list[str] = []
    known = [replace(record, trials=record.trials[:1], metrics={})]
    target = Target(uri=server.address, experiment="cells")
    client = MlflowClient(server.address)

    def runs() -> list[str]:
        found = client.get_experiment_by_name("cells")
        return [r.info.run_name for r in client.search_runs([found.experiment_id])] if found else []

    with LiveLogging(target, lambda: known[-1], said.append, QUICK):
        wait_for(lambda: sorted(runs()) == ["cells", "trial 0"])
        server.kill()
        known.append(replace(record, trials=record.trials[:2]))
        wait_for(lambda: said)
        server.start()
        wait_for(lambda: len(said) == 2)
        known.append(record)

    assert "Connection" in said[0] and said[0].endswith("continuing; what is new is sent later")
    assert said[1:] == ["MLflow answers again"]
    (parent,) = (r for r in client.search_runs(["1"]) if r.info.run_name == "cells")
    assert parent.info.status == "RUNNING"
    assert len(client.get_metric_history(parent.info.run_id, "search/train_loss")) == 1500
    require_complete(client, parent.info.run_id, record.trials)

    with pytest.raises(RuntimeError), LiveLogging(target, lambda: record, said.append, QUICK) as live:
        wait_for(lambda: live._process)
        raise RuntimeError
    assert client.get_run(parent.info.run_id).info.status == "FAILED"
    assert len(runs()) == 4, "nothing is doubled"


def test_a_step_ends_well_though_mlflow_never_answers(record: RunRecord):
    said: list[str] = []
    target = Target(uri="http://127.0.0.1:9", experiment="cells")
    with LiveLogging(target, lambda: record, said.append, QUICK):
        wait_for(lambda: said)
    assert len(said) == 1


def test_an_error_is_reported_once_and_the_step_continues(record: RunRecord):
    said: list[str] = []
    with answering(403) as address:
        known = [record]
        with LiveLogging(
            Target(uri=address, experiment="cells"),
            lambda: known[-1],
            said.append,
            Pace(every=0.1, at_end=30),
        ):
            wait_for(lambda: said)
            known.append(replace(record, trials=()))
            time.sleep(0.5)
    assert len(said) == 1 and said[0].endswith("nothing more is logged before the end")


def test_work_that_is_soon_over_starts_no_process(record: RunRecord, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(subprocess, "Popen")
    with LiveLogging(
        Target(uri="http://127.0.0.1:9", experiment="cells"), lambda: record, print, Pace(every=60)
    ):
        pass


def test_the_process_ends_with_a_step_that_is_killed(record: RunRecord):
    script = (
        "import sys, time; from cellwright.tracking import *\n"
        "record = RunRecord(key='k', name='k', params={}, tags={}, curves={}, metrics={}, artifacts={})\n"
        "live = LiveLogging(Target(uri='http://127.0.0.1:9', experiment='e'), lambda: record, print, Pace(every=0))\n"
        "live.__enter__()\n"
        "while live._process is None: time.sleep(0.01)\n"
        "print(live._process._process.pid, flush=True); time.sleep(100)\n"
    )
    step = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert step.stdout
    pid = int(step.stdout.readline())
    step.kill()
    step.communicate()
    wait_for(lambda: subprocess.run(["kill", "-0", str(pid)], stderr=subprocess.DEVNULL).returncode)
