"""Pipeline runs as MLflow runs; imported late, because MLflow takes seconds."""

import io
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.utils.validation import (
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
    MAX_TAG_VAL_LENGTH,
)

from cellwright.tracking._record import KEY_TAG, RunRecord
from cellwright.tracking._staging import staged
from cellwright.tracking._uri import without_credentials

T = TypeVar("T")


def log_run(client: MlflowClient, experiment_id: str, record: RunRecord, status: str) -> str:
    """Complete the run named by the record's key; the status is last, so that FINISHED means all is there."""
    run = _find_or_create(client, experiment_id, record)
    run_id: str = run.info.run_id
    params = [Param(key, _shown(value, MAX_PARAM_VAL_LENGTH)) for key, value in record.params.items()]
    tags = [RunTag(key, _shown(value, MAX_TAG_VAL_LENGTH)) for key, value in record.tags.items()]
    for some_params in _batches(params, MAX_PARAMS_TAGS_PER_BATCH):
        client.log_batch(run_id, params=some_params)
    for some_tags in _batches(tags, MAX_PARAMS_TAGS_PER_BATCH):
        client.log_batch(run_id, tags=some_tags)
    for some_metrics in _batches(list(_new_points(client, run, record)), MAX_METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=some_metrics)
    if record.artifacts:
        with staged(record.artifacts) as folder:
            client.log_artifacts(run_id, str(folder))
    if status != run.info.status:
        _set_status(client, run_id, status)
    return run_id


def _find_or_create(client: MlflowClient, experiment_id: str, record: RunRecord) -> Run:
    found = client.search_runs([experiment_id], f"tags.`{KEY_TAG}` = '{record.key}'", max_results=1)
    if found:
        return found[0]
    return client.create_run(experiment_id, tags={KEY_TAG: record.key}, run_name=record.name)


def _new_points(client: MlflowClient, run: Run, record: RunRecord) -> Iterator[Metric]:
    known = run.data.metrics
    now = int(time.time() * 1000)
    for name, curve in record.curves.items():
        history = client.get_metric_history(run.info.run_id, name) if name in known else []
        logged = {point.step for point in history}
        for step, value in curve:
            if step not in logged:
                yield Metric(name, value, now, step)
    for name, value in record.metrics.items():
        if name not in known or not _same(known[name], value):
            yield Metric(name, value, now, 0)


def _same(stored: float, value: float) -> bool:
    """Tell whether MLflow would store `value` as `stored`: it keeps NaN, infinity as the largest float."""
    if math.isnan(value):
        return math.isnan(stored)
    return stored == min(max(value, -sys.float_info.max), sys.float_info.max)


def _shown(text: str, longest: int) -> str:
    text = without_credentials(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _set_status(client: MlflowClient, run_id: str, status: str) -> None:
    if status == "RUNNING":
        client.update_run(run_id, status)
        return
    with redirect_stdout(io.StringIO()):  # where MLflow prints links when it talks to a server
        client.set_terminated(run_id, status)
