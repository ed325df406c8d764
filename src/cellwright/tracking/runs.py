"""Pipeline runs as MLflow runs; imported late, because MLflow takes seconds."""

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE
from mlflow.utils.validation import (
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
    MAX_TAG_VAL_LENGTH,
)

from cellwright.credentials import without_credentials
from cellwright.tracking import connection
from cellwright.tracking.record import KEY_TAG, TRIAL_TAG, Curves, RunRecord, Status, TrialRecord
from cellwright.tracking.staging import staged

T = TypeVar("T")


def find_or_create(client: MlflowClient, experiment_id: str, record: RunRecord) -> Run:
    """Return the pipeline run's MLflow run."""
    found = client.search_runs([experiment_id], f"tags.`{KEY_TAG}` = '{record.key}'", max_results=1)
    if found:
        return found[0]
    return client.create_run(experiment_id, tags={KEY_TAG: record.key}, run_name=record.name)


def find_outermost(client: MlflowClient, run_id: str) -> Run:
    """Return the run that is there for a whole pipeline: KFP's MLflow plugin names that of the task, nested in it."""
    run = client.get_run(run_id)
    while parent := run.data.tags.get(MLFLOW_PARENT_RUN_ID):
        run = client.get_run(parent)
    return run


class LoggedRun:
    """The MLflow run of a pipeline run, which is given what it has not got yet.

    It reads once what MLflow has, and then knows what it sent. After an error that is uncertain: make a new one.

    Args:
        client: of the server.
        run: as it was read just now.
        owned: whether the status is this package's to set.
    """

    def __init__(self, client: MlflowClient, run: Run, *, owned: bool):
        self._client = client
        self._run_id: str = run.info.run_id
        self._experiment_id: str = run.info.experiment_id
        self._owned = owned
        self._status: str = run.info.status
        self._params: dict[str, str] = dict(run.data.params)
        self._tags: dict[str, str] = dict(run.data.tags)
        self._metrics: dict[str, float] = dict(run.data.metrics)
        self._steps: dict[str, set[int]] = {}
        self._trials: dict[str, Run] | None = None
        self._ended: set[str] = set()

    def complete(self, record: RunRecord, status: Status) -> str:
        """Send what is new; the status is last, so that FINISHED means all is there."""
        params = _new(record.params, self._params, MAX_PARAM_VAL_LENGTH)
        for some in _batches([*params.items()], MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self._run_id, params=[Param(key, value) for key, value in some])
        wanted = {**record.tags, **_descriptions(record), KEY_TAG: record.key}
        tags = _new(wanted, self._tags, MAX_TAG_VAL_LENGTH)
        for some in _batches([*tags.items()], MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self._run_id, tags=[RunTag(key, value) for key, value in some])
        for points in _batches([*self._new_points(record)], MAX_METRICS_PER_BATCH):
            self._client.log_batch(self._run_id, metrics=points)
            for point in points:
                self._steps.setdefault(point.key, set()).add(point.step)
        self._params |= params
        self._tags |= tags
        self._metrics |= record.metrics
        self._complete_trials(record.trials)
        if record.artifacts:
            with staged(record.artifacts) as folder:
                self._client.log_artifacts(self._run_id, str(folder))
        if self._owned and status != self._status:
            if status == "RUNNING":
                self._client.update_run(self._run_id, status)
            else:
                self._client.set_terminated(self._run_id, status)
            self._status = status
        return self._run_id

    def _new_points(self, record: RunRecord) -> Iterator[Metric]:
        now = _milliseconds()
        for name, curve in record.curves.items():
            if name not in self._steps:
                known = name in self._metrics
                history = self._client.get_metric_history(self._run_id, name) if known else []
                self._steps[name] = {point.step for point in history}
            for step, value in curve:
                if step not in self._steps[name]:
                    yield Metric(name, value, now, step)
        for name, value in record.metrics.items():
            if name not in self._metrics or not _same(self._metrics[name], value):
                yield Metric(name, value, now, 0)

    def _complete_trials(self, trials: Sequence[TrialRecord]) -> None:
        if all(trial.key in self._ended for trial in trials):
            return
        if self._trials is None:
            self._trials = _nested(self._client, self._experiment_id, self._run_id)
        new = {
            trial.key: trial
            for trial in trials
            if trial.key not in self._ended
            and ((run := self._trials.get(trial.key)) is None or run.info.status == "RUNNING")
        }
        start = _milliseconds() - sum(_milliseconds_of(trial) for trial in new.values())
        for trial in trials:  # one after the other, since MLflow sorts runs by their start
            if trial.key in new:
                self._complete_trial(trial, self._trials.get(trial.key), start)
                start += _milliseconds_of(trial)
            self._ended.add(trial.key)

    def _complete_trial(self, trial: TrialRecord, run: Run | None, start: int) -> None:
        if run is None:
            tags = {**trial.tags, TRIAL_TAG: trial.key, MLFLOW_PARENT_RUN_ID: self._run_id}
            run = self._client.create_run(
                self._experiment_id,
                start_time=start,
                tags={key: _shown(value, MAX_TAG_VAL_LENGTH) for key, value in tags.items()},
                run_name=trial.name,
            )
        end = run.info.start_time + _milliseconds_of(trial)
        points = [
            Metric(name, value, end, step) for name, step, value in _points(trial.curves, trial.metrics)
        ]
        params = [Param(key, _shown(value, MAX_PARAM_VAL_LENGTH)) for key, value in trial.params.items()]
        self._client.log_batch(run.info.run_id, metrics=points[:MAX_METRICS_PER_BATCH], params=params)
        for some in _batches(points[MAX_METRICS_PER_BATCH:], MAX_METRICS_PER_BATCH):
            self._client.log_batch(run.info.run_id, metrics=some)
        self._client.set_terminated(run.info.run_id, trial.status, end_time=end)


def _descriptions(record: RunRecord) -> dict[str, str]:
    """Return the tags from which MLflow's page takes a run's description and its tables."""
    tables = json.dumps([{"path": name, "type": "table"} for name in record.tables])
    return {
        **({MLFLOW_RUN_NOTE: record.note} if record.note else {}),
        **({MLFLOW_LOGGED_ARTIFACTS: tables} if record.tables else {}),
    }


def _nested(client: MlflowClient, experiment_id: str, run_id: str) -> dict[str, Run]:
    """Return the runs of the trials that are nested in the run, by the trials' keys."""
    runs = connection.all_runs(client, experiment_id, f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}'")
    return {run.data.tags[TRIAL_TAG]: run for run in runs if TRIAL_TAG in run.data.tags}


def _points(curves: Curves, metrics: Mapping[str, float]) -> Iterator[tuple[str, int, float]]:
    for name, curve in curves.items():
        for step, value in curve:
            yield name, step, value
    for name, value in metrics.items():
        yield name, 0, value


def _new(wanted: Mapping[str, str], known: Mapping[str, str], longest: int) -> dict[str, str]:
    shown = {key: _shown(value, longest) for key, value in wanted.items()}
    return {key: value for key, value in shown.items() if known.get(key) != value}


def _same(stored: float, value: float) -> bool:
    """Return whether MLflow would store `value` as `stored`: it keeps NaN, infinity as the largest float."""
    if math.isnan(value):
        return math.isnan(stored)
    return stored in (value, min(max(value, -sys.float_info.max), sys.float_info.max))


def _shown(text: str, longest: int) -> str:
    text = without_credentials(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _milliseconds_of(trial: TrialRecord) -> int:
    return max(1, round(1000 * trial.seconds))


def _milliseconds() -> int:
    return int(time.time() * 1000)
