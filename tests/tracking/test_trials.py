"""Trials as MLflow runs nested in that of the pipeline run."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from mlflow import MlflowClient

from cellwright.errors import CellwrightError
from cellwright.tracking import MlflowTracker, RunRecord, TrialRecord


@pytest.fixture
def record(record: RunRecord, trials: tuple[TrialRecord, ...]) -> RunRecord:
    return replace(record, curves={"loss": [(1, 2.0)]}, metrics={}, artifacts={}, trials=trials)


def nested(client: MlflowClient, experiment: str, run_id: str) -> Sequence[Any]:
    """Return the nested runs by name."""
    (identifier,) = (e.experiment_id for e in client.search_experiments() if e.name == experiment)
    found = client.search_runs([identifier], f"tags.mlflow.parentRunId = '{run_id}'")
    return sorted(found, key=lambda run: run.info.run_name)


def require_complete(client: MlflowClient, run_id: str, trials: Sequence[TrialRecord]) -> None:
    runs = nested(client, "cells", run_id)
    assert [run.info.run_name for run in runs] == [trial.name for trial in trials]
    for run, trial in zip(runs, trials, strict=True):
        assert run.info.status == trial.status
        assert run.info.end_time - run.info.start_time == 1000 * trial.seconds
        assert run.data.params == trial.params
        assert trial.tags.items() <= run.data.tags.items()
        points = {
            name: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        assert points == {
            **{name: list(curve) for name, curve in trial.curves.items()},
            **{name: [(0, value)] for name, value in trial.metrics.items()},
        }


def test_each_trial_is_a_nested_run(uri: str, tracker: MlflowTracker, record: RunRecord):
    require_complete(MlflowClient(uri), tracker.log_run(record, status="RUNNING"), record.trials)


def test_trials_are_shown_in_the_order_in_which_they_ran(uri: str, tracker: MlflowTracker, record: RunRecord):
    """By the start of runs, which MLflow's page sorts them by."""
    runs = nested(MlflowClient(uri), "cells", tracker.log_run(record, status="RUNNING"))
    times = [(run.info.start_time, run.info.end_time) for run in runs]
    assert times == sorted(times) and all(
        end == start for (_, end), (start, _) in zip(times, times[1:], strict=False)
    )


def test_a_run_has_a_description_and_tables(uri: str, tracker: MlflowTracker, record: RunRecord):
    described = replace(record, note="It *reaches* 0.9.", tables=("leaderboard.json",))
    run = MlflowClient(uri).get_run(tracker.log_run(described, status="RUNNING"))
    assert run.data.tags["mlflow.note.content"] == "It *reaches* 0.9."
    tables = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert tables == [{"path": "leaderboard.json", "type": "table"}]
    experiment = MlflowClient(uri).get_experiment(run.info.experiment_id)
    assert "report.html" in experiment.tags["mlflow.note.content"]


def test_trials_that_come_later_join_the_others(uri: str, tracker: MlflowTracker, record: RunRecord):
    for count in range(len(record.trials) + 1):
        run_id = tracker.log_run(replace(record, trials=record.trials[:count]), status="RUNNING")
        require_complete(MlflowClient(uri), run_id, record.trials[:count])


def test_what_is_there_is_not_sent_again(uri: str, record: RunRecord, monkeypatch: pytest.MonkeyPatch):
    MlflowTracker(uri=uri, experiment="cells").log_run(record, status="FINISHED")
    tracker = MlflowTracker(uri=uri, experiment="cells")
    for method in ("create_run", "log_batch", "set_terminated"):
        monkeypatch.delattr(MlflowClient, method)

    tracker.log_run(record, status="FINISHED")


@pytest.mark.parametrize(("method", "nth"), [("create_run", 3), ("log_batch", 7), ("set_terminated", 2)])
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

    require_complete(MlflowClient(uri), log(), record.trials)


@pytest.fixture
def kfp(uri: str) -> tuple[str, str]:
    """What KFP's MLflow plugin makes: a run for the pipeline, and one for the task, whose id the task is told."""
    client = MlflowClient(uri)
    experiment = client.create_experiment("theirs")
    pipeline = client.create_run(experiment, run_name="of KFP").info.run_id
    task = client.create_run(experiment, tags={"mlflow.parentRunId": pipeline}, run_name="search")
    return pipeline, task.info.run_id


def test_a_run_of_kfp_is_joined(uri: str, record: RunRecord, kfp: tuple[str, str]):
    pipeline, task = kfp

    for _ in range(2):
        tracker = MlflowTracker(uri=uri, experiment="cells", run_id=task)
        assert tracker.log_run(record, status="FINISHED") == pipeline

    client = MlflowClient(uri)
    run = client.get_run(pipeline)
    assert (run.info.run_name, run.info.status) == ("of KFP", "RUNNING"), "KFP ends what it began"
    assert run.data.tags["cellwright.run"] == record.key
    assert run.data.metrics["loss"] == 2.0
    names = [run.info.run_name for run in nested(client, "theirs", pipeline)]
    assert names == ["search", "trial 0", "trial 1", "trial 2"]
    assert [e.name for e in client.search_experiments()] == ["theirs", "Default"]


def test_a_run_to_join_that_is_not_there_is_named(uri: str, record: RunRecord):
    tracker = MlflowTracker(uri=uri, experiment="cells", run_id="nowhere")

    with pytest.raises(CellwrightError, match="Run with id=nowhere not found"):
        tracker.log_run(record, status="RUNNING")
