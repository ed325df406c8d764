from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cellwright.errors import CellwrightError
from cellwright.tracking import MlflowTracker, RunRecord


def points(client: MlflowClient, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client.get_metric_history(run_id, name)]


def require_complete(uri: str, run_id: str, record: RunRecord) -> None:
    client = MlflowClient(uri)
    (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert run.info.run_id == run_id
    assert run.info.run_name == "cells"
    assert run.info.status == "FINISHED"
    assert run.info.end_time >= run.info.start_time
    assert len(run.data.params) == len(record.params)
    for name, curve in record.curves.items():
        assert points(client, run_id, name) == list(curve)
    assert {name: len(points(client, run_id, name)) for name in record.metrics} == dict.fromkeys(
        record.metrics, 1
    )
    folder = Path(client.download_artifacts(run_id, ""))
    assert (folder / "spec/search.yaml").read_text() == "name: cells"
    assert (folder / "report/deep/front.svg").read_text() == "<svg/>"


def test_a_run_holds_its_record(uri: str, tracker: MlflowTracker, record: RunRecord):
    run_id = tracker.log_run(record, status="FINISHED")

    require_complete(uri, run_id, record)
    run = MlflowClient(uri).get_run(run_id)
    assert run.data.params["space.part.249"] == "249"
    assert run.data.params["data.labels"] == "x" * 5999 + "…"
    assert run.data.tags["cellwright.run"] == record.key
    assert run.data.tags["server"] == "https://mlflow.test/x"
    assert run.data.metrics["test/accuracy"] == 0.5


def test_an_experiment_that_was_deleted_is_named(uri: str, tracker: MlflowTracker, record: RunRecord):
    client = MlflowClient(uri)
    client.delete_experiment(client.get_experiment_by_name("cells").experiment_id)
    with pytest.raises(CellwrightError, match="'cells' was deleted in MLflow: `mlflow experiments restore"):
        MlflowTracker(uri=uri, experiment="cells").log_run(record, status="FINISHED")


def test_logging_twice_leaves_one_run_and_no_doubled_point(
    uri: str, tracker: MlflowTracker, record: RunRecord
):
    first = tracker.log_run(record, status="FINISHED")
    second = MlflowTracker(uri=uri, experiment="cells").log_run(record, status="FINISHED")

    assert first == second
    require_complete(uri, second, record)


@pytest.mark.parametrize(
    ("method", "nth"),
    [("create_run", 1), ("log_batch", 2), ("log_batch", 6), ("log_artifacts", 1), ("set_terminated", 1)],
)
def test_a_killed_run_is_completed(
    uri: str,
    record: RunRecord,
    killed_at: Callable[[object, str, int, Callable[[], object]], None],
    method: str,
    nth: int,
):
    def log() -> str:
        return MlflowTracker(uri=uri, experiment="cells").log_run(record, status="FINISHED")

    killed_at(MlflowClient, method, nth, log)

    require_complete(uri, log(), record)


def test_a_record_may_grow(uri: str, tracker: MlflowTracker, record: RunRecord):
    curve = record.curves["search/train_loss"]
    young = replace(
        record, curves={"search/train_loss": curve[:3]}, metrics={"test/accuracy": 0.1}, artifacts={}
    )
    client = MlflowClient(uri)

    run_id = tracker.log_run(young, status="RUNNING")
    assert client.get_run(run_id).info.status == "RUNNING"
    tracker.log_run(record, status="FINISHED")

    assert points(client, run_id, "search/train_loss") == curve
    assert client.get_run(run_id).data.metrics["test/accuracy"] == 0.5
    tracker.log_run(record, status="RUNNING")
    assert client.get_run(run_id).info.status == "RUNNING"


def test_runs_of_a_pipeline_that_is_over_end(uri: str, tracker: MlflowTracker, record: RunRecord):
    ids = [
        tracker.log_run(
            replace(record, key=key, tags={"kfp.run_id": kfp}, curves={}, artifacts={}), status=status
        )
        for key, kfp, status in (("a", "1", "RUNNING"), ("b", "2", "RUNNING"), ("c", "1", "FINISHED"))
    ]

    assert [tracker.end_runs("kfp.run_id", "1", "KILLED") for _ in range(2)] == [1, 0]

    client = MlflowClient(uri)
    assert [client.get_run(id).info.status for id in ids] == ["KILLED", "RUNNING", "FINISHED"]


def test_keys_name_runs(uri: str, tracker: MlflowTracker, record: RunRecord):
    small = replace(record, curves={}, artifacts={})

    assert tracker.log_run(small, status="FINISHED") != tracker.log_run(
        replace(small, key="other"), status="FAILED"
    )


def test_a_changed_param_is_refused(tracker: MlflowTracker, record: RunRecord):
    tracker.log_run(record, status="RUNNING")

    with pytest.raises(CellwrightError, match=r"experiment 'cells': Changing param values .*seed"):
        tracker.log_run(replace(record, params={"space.part.0": "seed"}), status="RUNNING")


def test_a_missing_artifact_is_named(tracker: MlflowTracker, record: RunRecord, tmp_path: Path):
    with pytest.raises(CellwrightError, match="nowhere.json"):
        tracker.log_run(
            replace(record, artifacts={"genotype.json": tmp_path / "nowhere.json"}), status="FINISHED"
        )


def test_a_name_is_a_curve_or_a_metric(record: RunRecord):
    with pytest.raises(ValueError, match="got both for search/gap"):
        replace(record, metrics={"search/gap": 1.0})


@pytest.mark.parametrize("key", ["", "it's", "a b", "x" * 251])
def test_keys_fit_a_search_filter(record: RunRecord, key: str):
    with pytest.raises(ValueError, match="key must match"):
        replace(record, key=key)
