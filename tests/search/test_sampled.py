"""A sampled search as a user starts it, with real trials, killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from cellwright.candidate import Candidate
from cellwright.results import SearchResult
from cellwright.spec import load_spec
from cellwright.steps.record import run_key, run_record
from cellwright.tracking import MlflowTracker
from tests.servers import MlflowServer

SPEC = """
name: small
data: {source: digits, limit: 200}
space: {kind: darts, num_nodes: 2, num_cells: 2, channels: 4, primitives: [skip_connect, max_pool_3x3, sep_conv_3x3]}
strategy: {kind: random}
budget: {evaluations: 3, finalists: 2, fresh_seeds: 1}
estimators: [{kind: short-training, epochs: 2}]
objectives: [{metric: accuracy}, {metric: params, direction: minimize}]
pick: {kind: weighted, weights: {accuracy: 1}}
runner: {parallel: 2}
retrain: {batch_size: 16}
tune: {when: with, values: {retrain.learning_rate: [0.004, 0.02], retrain.channels: [4, 6]}}
"""


def start(folder: Path, uri: str | None = None) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    spec = folder / "small.yaml"
    spec.write_text(SPEC)
    return subprocess.Popen(
        [sys.executable, "-m", "cellwright", "search", str(spec), "--runs", str(folder)],
        env=os.environ | ({"MLFLOW_TRACKING_URI": uri} if uri else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(folder: Path, uri: str | None = None) -> str:
    process = start(folder, uri)
    output, _ = process.communicate(timeout=250)
    assert process.returncode == 0, output
    return output


def journal(folder: Path) -> list[dict[str, Any]]:
    """Return the evaluations without what a clock measured, in the order of their numbers."""
    text = "".join(path.read_text() for path in folder.glob("small/search-*/evaluations.jsonl"))
    whole, _, _ = text.rpartition("\n")
    evaluations = [{**json.loads(line), "seconds": None, "crc32": None} for line in whole.splitlines()]
    return sorted(evaluations, key=lambda e: (e["repeat"], e["number"]))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, finish(folder)


def test_it_ends_with_what_fresh_seeds_confirm(undisturbed: tuple[Path, str]):
    folder, output = undisturbed
    evaluations = journal(folder)
    assert [(e["state"], e["repeat"]) for e in evaluations] == [("done", 0)] * 3 + [("done", 1)] * 2
    assert all(len(e["curve"]) == 2 for e in evaluations)
    (path,) = folder.glob("small/search-*/search.json")
    found = SearchResult.load(path)
    fresh = {e["candidate"]: e["metrics"] for e in evaluations if e["repeat"]}
    best = max(fresh, key=lambda line: fresh[line]["accuracy"])
    assert found.score == fresh[best]["accuracy"]
    assert Candidate(genotype=found.genotype, values=found.tuned).line == best
    assert found.tuned["retrain.learning_rate"] in (0.004, 0.02)
    assert found.tuned["retrain.channels"] in (4, 6)
    assert "Best of 3 evaluations" in output
    assert not list(folder.glob("small/search-*/trial-*"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(f"sqlite:///{tmp_path}/server.db", tmp_path)
    server.start()
    yield server
    server.kill()


def test_killed_in_the_middle_it_resumes_to_the_same_result(
    undisturbed: tuple[Path, str], tmp_path: Path, server: MlflowServer
):
    """So does what MLflow has, though its server was killed, too; what the search could not send, later steps do."""
    process = start(tmp_path, server.address)
    deadline = time.monotonic() + 200
    while not journal(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    survived = journal(tmp_path)
    assert 0 < len(survived) < 5
    server.kill()
    output = finish(tmp_path, server.address)
    assert output.count("continuing; what is new is sent later") == 1
    assert journal(tmp_path) == journal(undisturbed[0])
    for _ in range(2):
        log_as_later_steps_do(server.database, tmp_path)
        require_logged(server.database, tmp_path)


def log_as_later_steps_do(uri: str, folder: Path) -> None:
    spec = load_spec(folder / "small.yaml").completed({"MLFLOW_TRACKING_URI": uri})
    (prepared,), (searched,) = (folder.glob(f"small/{step}-*") for step in ("prepare", "search"))
    record = run_record(spec, run_key(spec, searched), {"prepare": prepared, "search": searched})
    MlflowTracker(uri=uri, experiment="small").log_run(record, status="RUNNING")


def nested(uri: str) -> list[Any]:
    """Return the MLflow runs of trials."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name("small")
    runs = client.search_runs([found.experiment_id]) if found else []
    return [run for run in runs if "mlflow.parentRunId" in run.data.tags]


def require_logged(uri: str, folder: Path) -> None:
    """Require one MLflow run with the search's curves, and one nested in it for each evaluation."""
    client = MlflowClient(uri)
    runs = {run.info.run_name: run for run in nested(uri)}
    evaluations = {(e["number"], e["repeat"]): e for e in journal(folder)}
    names = {key: f"trial {key[0]}" + (f", fresh seed {key[1]}" if key[1] else "") for key in evaluations}
    assert sorted(run.info.run_name for run in nested(uri)) == sorted(names.values())
    (parent_id,) = {run.data.tags["mlflow.parentRunId"] for run in runs.values()}
    for key, evaluation in evaluations.items():
        run = runs[names[key]]
        assert run.info.status == "FINISHED"
        assert run.data.params["genotype"] == evaluation["candidate"].partition("::")[0]
        assert run.data.params["retrain.channels"] in ("4", "6")
        assert run.data.params["fidelity.epochs"] == "1.0"
        assert {name: run.data.metrics[name] for name in evaluation["metrics"]} == evaluation["metrics"]
        curve = [point.value for point in client.get_metric_history(run.info.run_id, "curve/accuracy")]
        assert curve == evaluation["curve"]
    parent = client.get_run(parent_id)
    assert parent.info.status == "RUNNING", "register ends it"
    (path,) = folder.glob("small/search-*/search.json")
    history = SearchResult.load(path).history
    for name in history[0].metrics:
        points = client.get_metric_history(parent_id, f"search/{name}")
        assert [(p.step, p.value) for p in points] == [(r.epoch, r.metrics[name]) for r in history]
