"""Where the files of a trained model are: in a run, in a folder, or in a registry. Needs no torch."""

import os
from collections.abc import Sequence
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.report.latest import LATEST, LatestRun, workspace_of
from cellwright.results import NETWORK
from cellwright.tracking import download_model_file, model_version
from cellwright.tracking.uri import REGISTRY, registry_uri


def find_model(model: str, runs: Path, download_to: Path, files: Sequence[str]) -> Path:
    """Return the folder of a model's files.

    Args:
        model: the folder of a run or of its `retrain` step, the spec of a run, or `models:/NAME@ALIAS` or
            `models:/NAME/VERSION` in the registry of MLFLOW_TRACKING_URI, or else of the runs.
        runs: the folder of all runs.
        download_to: folder for the files of a registered model.
        files: the names of those that are needed.

    Raises:
        CellwrightError: the model does not exist.
    """
    if model.startswith(REGISTRY):
        uri = registry_uri(runs, os.environ)
        return download_version(uri, model_version(uri, model), files, download_to)
    path = workspace_of(model, runs)
    if (path / LATEST).exists():
        steps = LatestRun.read(path).steps
        if "retrain" not in steps:
            raise CellwrightError(
                f"{path}: must have trained a model, but its last command did not get that far"
            )
        path /= steps["retrain"]
    if not (path / NETWORK).exists():
        raise CellwrightError(
            f"{model}: must be the folder of a finished run or of its retrain step, a spec that was run, or "
            f"{REGISTRY}NAME@ALIAS"
        )
    return path


def download_version(uri: str, version: str, files: Sequence[str], folder: Path) -> Path:
    """Return the folder that has copies of a version's files, compared with their digests.

    Args:
        uri: of the registry.
        version: `NAME/VERSION`.
        files: their names.
        folder: where they go.

    Raises:
        CellwrightError: a file is not there, or is not what was registered.
    """
    copies = [download_model_file(uri, f"{REGISTRY}{version}", name, folder) for name in files]
    return copies[-1].parent
