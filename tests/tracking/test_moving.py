"""A folder of runs that was moved or copied: its database names the artifacts beside it."""

import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking._tracking_service import utils

from cellwright.tracking import present_uri
from cellwright.tracking.connection import connect, experiment_id, local_artifacts


def uri_of(runs: Path) -> str:
    return f"sqlite:///{runs / 'mlflow.db'}"


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A folder of runs with one run, which has one file."""
    runs = tmp_path_factory.mktemp("old project") / "runs"
    client = connect(uri_of(runs))
    experiment = experiment_id(client, "cells", local_artifacts(uri_of(runs)))
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "found", "cell.txt")
    return runs


@pytest.mark.parametrize("is_copy", [True, False], ids=["copied", "moved"])
def test_artifacts_are_read_and_written_beside_the_database(original, tmp_path, is_copy):
    old, runs = tmp_path / "old" / "runs", tmp_path / "new place" / "runs"
    shutil.copytree(original, old)
    connect(uri_of(old))
    shutil.copytree(old, runs)
    if not is_copy:
        shutil.rmtree(old)
    before = set(tmp_path.glob("old/**/*"))
    utils._artifact_repos_cache.clear()  # as in another process
    client = connect(uri_of(runs))
    (run,) = client.search_runs([client.get_experiment_by_name("cells").experiment_id])
    text = mlflow.artifacts.load_text(run.info.artifact_uri + "/cell.txt")
    assert text == "found"
    assert run.info.artifact_uri.startswith((runs / "artifacts").as_uri())
    client.log_text(run.info.run_id, "more", "more.txt")
    assert list((runs / "artifacts").glob("**/more.txt"))
    assert set(tmp_path.glob("old/**/*")) == before


def test_artifacts_that_are_elsewhere_stay_there(original, tmp_path):
    shutil.copy(original / "mlflow.db", tmp_path / "mlflow.db")
    (tmp_path / "artifacts").mkdir()
    client = connect(uri_of(tmp_path))
    assert client.get_experiment_by_name("cells").artifact_location == (original / "artifacts").as_uri()


def test_the_database_of_a_run_is_found_where_it_is_now(tmp_path):
    workspace = tmp_path / "new" / "runs" / "tiny"
    workspace.mkdir(parents=True)
    gone = f"sqlite:///{tmp_path}/old/runs/mlflow.db"
    assert present_uri(gone, workspace) == gone
    (workspace.parent / "mlflow.db").touch()
    assert present_uri(gone, workspace) == f"sqlite:///{workspace.parent / 'mlflow.db'}"
    assert present_uri("http://mlflow:5000", workspace) == "http://mlflow:5000"
