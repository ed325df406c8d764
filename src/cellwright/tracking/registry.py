"""Versions of registered models, found by their address; imported late, because MLflow takes seconds."""

import re
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion

from cellwright.tracking.connection import quiet

ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<version>\d+))")


def find_version(client: MlflowClient, address: str) -> ModelVersion:
    """Return the version that `models:/NAME@ALIAS` or `models:/NAME/VERSION` names now."""
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        raise ValueError(f"address must be models:/NAME@ALIAS or models:/NAME/VERSION, got {address}")
    if parts["alias"]:
        return client.get_model_version_by_alias(parts["name"], parts["alias"])
    return client.get_model_version(parts["name"], parts["version"])


@quiet()
def download(client: MlflowClient, uri: str, version: ModelVersion, file: str, folder: Path) -> Path:
    """Return the local copy, in the folder, of one of a version's files."""
    source = client.get_model_version_download_uri(version.name, version.version)
    return Path(download_artifacts(f"{source}/{file}", dst_path=str(folder), tracking_uri=uri))
