"""Versions of registered models, found by their address; imported late, because MLflow takes seconds."""

import json
import re
import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from pydantic import TypeAdapter

from cellwright.errors import CellwrightError
from cellwright.files import file_digest, files_below
from cellwright.tracking.connection import quiet

FILES_TAG = "cellwright.files"
"""The tag of a model and of its version that has the SHA-256 of each file, as JSON."""
NAME_AND_VERSION = "registered_model_meta"
"""A file that MLflow puts among a version's files when it is loaded from where they are."""
DIGESTS = TypeAdapter(dict[str, str])
ADDRESS = re.compile(r"models:/(?P<name>[^/]+?)(@(?P<alias>[^/@]+)|/(?P<version>\d+))")


def find_version(client: MlflowClient, address: str) -> ModelVersion:
    """Return the version that `models:/NAME@ALIAS` or `models:/NAME/VERSION` names now."""
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        raise CellwrightError(f"address must be models:/NAME@ALIAS or models:/NAME/VERSION, got {address}")
    if parts["alias"]:
        return client.get_model_version_by_alias(parts["name"], parts["alias"])
    return client.get_model_version(parts["name"], parts["version"])


@quiet()
def verify(client: MlflowClient, uri: str, version: ModelVersion) -> tuple[int, tuple[str, ...]]:
    """Return how many files a version has, and a sentence for each that is not what its tag says.

    Raises:
        CellwrightError: the version has no such tag.
    """
    address = f"models:/{version.name}/{version.version}"
    try:
        recorded = DIGESTS.validate_json(version.tags.get(FILES_TAG, ""))
    except ValueError as error:
        raise CellwrightError(
            f"{address} must have the SHA-256 of its files in the tag {FILES_TAG}, got {version.tags.get(FILES_TAG)}"
        ) from error
    source = client.get_model_version_download_uri(version.name, version.version)
    with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
        found = digests(Path(download_artifacts(source, dst_path=folder, tracking_uri=uri)))
    if NAME_AND_VERSION not in recorded:
        found.pop(NAME_AND_VERSION, None)
    wrong = sorted({name for name, _ in recorded.items() ^ found.items()})
    return len(found), tuple(
        f"{address}: {name} must have the SHA-256 {recorded.get(name, 'of no file')}, as the tag {FILES_TAG} says, "
        f"got {found.get(name, 'no file')}"
        for name in wrong
    )


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below a folder, by its path within."""
    return {file.relative_to(folder).as_posix(): file_digest(file) for file in files_below(folder)}


@quiet()
def download(client: MlflowClient, uri: str, version: ModelVersion, file: str, folder: Path) -> Path:
    """Return the local copy, in the folder, of one of a version's files.

    Raises:
        CellwrightError: the version's tag says that the file has another digest.
    """
    source = client.get_model_version_download_uri(version.name, version.version)
    local = Path(download_artifacts(f"{source}/{file}", dst_path=str(folder), tracking_uri=uri))
    if recorded := version.tags.get(FILES_TAG):
        expected, found = json.loads(recorded).get(file), file_digest(local)
        if found != expected:
            raise CellwrightError(
                f"models:/{version.name}/{version.version}: {file} must have the SHA-256 {expected}, as the tag "
                f"{FILES_TAG} says, got {found}"
            )
    return local
