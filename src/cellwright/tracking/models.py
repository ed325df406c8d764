"""Networks as MLflow models and registry versions; imported late, because MLflow takes seconds.

`mlflow.pytorch.log_model` would want MLflow's global tracking URI and an active run, and could not complete
a LoggedModel that a kill left half written. So its steps are taken here one by one, with MLflow's own
`save_model` for the files.
"""

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from cellwright.canonical import canonical_json
from cellwright.credentials import without_credentials
from cellwright.tracking.champion import move_champion, moves
from cellwright.tracking.connection import quiet, unless_exists
from cellwright.tracking.moves import CHALLENGER, CHAMPION, Move, utc_now
from cellwright.tracking.record import KEY_TAG, LoggedColumns
from cellwright.tracking.registry import FILES_TAG, digests

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

ABOUT_MODEL = (
    "Networks that cellwright found. The version with the alias `champion` is the one to use, and `challenger` the "
    "newest other one. Each version's page has its model card: how to load it, what it was compared with, and its "
    "limits."
)


def find_version(client: MlflowClient, name: str, key: str) -> ModelVersion | None:
    """Return the version of the model `name` that the pipeline run `key` registered before."""
    versions = client.search_model_versions(f"tags.`{KEY_TAG}` = '{key}'")
    return next((version for version in versions if version.name == name), None)


def log_model(
    client: MlflowClient,
    run_id: str,
    key: str,
    model: "torch.nn.Module",
    inputs: "Mapping[str, npt.NDArray[Any]]",
    metadata: Mapping[str, Any],
    extra_files: Mapping[str, Path],
    columns: LoggedColumns | None = None,
) -> str:
    """Return the id of the run's LoggedModel, which holds all files when its status is READY."""
    with quiet():
        from cellwright.tracking.saving import save_columns_model, save_model

    run = client.get_run(run_id)
    logged = _find_or_create(client, run, key)
    model_id: str = logged.model_id
    if logged.status != LoggedModelStatus.READY:
        outputs = run.outputs.model_outputs if run.outputs else []
        if all(output.model_id != model_id for output in outputs):
            client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        client.log_batch(run_id, metrics=_final_metrics(client, run, model_id))
        with tempfile.TemporaryDirectory(prefix="cellwright-") as name:
            folder = Path(name) / "model"
            if columns is None:
                save_model(folder, logged, model, inputs, metadata, extra_files)
            else:
                save_columns_model(folder, logged, columns, metadata, extra_files)
            client.set_logged_model_tags(model_id, {FILES_TAG: canonical_json(digests(folder))})
            client.log_model_artifacts(model_id, str(folder))
        client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    return model_id


def create_version(
    client: MlflowClient,
    model_id: str,
    name: str,
    key: str,
    tags: Mapping[str, str],
    description: str | None = None,
) -> ModelVersion:
    """Register the LoggedModel."""
    logged = client.get_logged_model(model_id)
    with unless_exists():
        client.create_registered_model(name, description=ABOUT_MODEL)
    return client.create_model_version(
        name,
        # not models:/ID: on a database MLflow would look that up at its global tracking URI
        source=logged.artifact_location,
        run_id=logged.source_run_id,
        tags={tag: without_credentials(value) for tag, value in tags.items()}
        | {KEY_TAG: key, FILES_TAG: logged.tags[FILES_TAG]},
        description=description,
        model_id=model_id,
    )


def show_version(client: MlflowClient, experiment_id: str, key: str, version: ModelVersion) -> None:
    """Name the version in the tag from which the page of its LoggedModel takes its versions."""
    this = {"name": version.name, "version": int(version.version)}
    for logged in _logged_models(client, experiment_id, key):
        known = json.loads(logged.tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
        if this not in known:
            client.set_logged_model_tags(logged.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps([*known, this])})


def assign_alias(client: MlflowClient, name: str, version: int, *, has_gate: bool = False) -> str | None:
    """Return the version's alias, as the registry has it; give it one if no newer version has been given one since.

    Where a gate decides who is the champion, or the login may not set `champion`, the version becomes the challenger of
    no champion.
    """
    is_first = not has_gate
    while True:
        holders = {alias: int(number) for alias, number in client.get_registered_model(name).aliases.items()}
        for alias in (CHAMPION, CHALLENGER):
            if holders.get(alias) == version:
                return alias
        if any(number > version for number in holders.values()):
            return None
        if CHAMPION in holders or not is_first:
            client.set_registered_model_alias(name, CHALLENGER, str(version))
            continue
        known = moves(client, name)  # perhaps this one among them, killed before it set the alias
        number = 1 + sum((move.kind, move.to_version) != ("first", version) for move in known)
        first = Move(
            number=number,
            kind="first",
            to_version=version,
            who="register",
            when=utc_now(),
            why="there was no champion",
        )
        try:
            move_champion(client, name, first)
        except MlflowException as error:
            if error.error_code != "PERMISSION_DENIED":
                raise
            is_first = False


def has_champion(client: MlflowClient, name: str) -> bool:
    """Return whether a version of the registered model is the champion."""
    return CHAMPION in client.get_registered_model(name).aliases


def _logged_models(client: MlflowClient, experiment_id: str, key: str) -> list[LoggedModel]:
    """Return the LoggedModel of the pipeline run `key`, if there is one yet."""
    found: list[LoggedModel] = client.search_logged_models(
        [experiment_id], f"tags.`{KEY_TAG}` = '{key}'", max_results=1
    )
    return found


def _find_or_create(client: MlflowClient, run: Run, key: str) -> LoggedModel:
    found = _logged_models(client, run.info.experiment_id, key)
    if found:
        return found[0]
    return client.create_logged_model(
        run.info.experiment_id, name="model", source_run_id=run.info.run_id, tags={KEY_TAG: key}
    )


def _final_metrics(client: MlflowClient, run: Run, model_id: str) -> list[Metric]:
    """Return the run's metrics that aren't curves, as points of the model.

    Key, value, time and step are those of the run's point, or MLflow would count it as another one. NaN is
    left out: MLflow would show it as 0.
    """
    histories = (client.get_metric_history(run.info.run_id, name) for name in run.data.metrics)
    return [
        Metric(last.key, last.value, last.timestamp, 0, model_id=model_id, run_id=run.info.run_id)
        for *_, last in histories
        if last.step == 0 and not math.isnan(last.value)
    ]
