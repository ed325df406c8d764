"""Registered models that a spec starts from, in the registry that it registers in."""

from pathlib import Path

from cellwright.spec import SearchSpec
from cellwright.tracking import download_model_file, model_version
from cellwright.tracking.uri import default_tracking_uri


def with_registry(spec: SearchSpec, workspace: Path) -> SearchSpec:
    """Return the spec, with the registry written in where it starts from a model of it."""
    starts_there = spec.start.model or isinstance(spec.retrain.start, str)
    return with_tracking_uri(spec, workspace) if starts_there else spec


def with_tracking_uri(spec: SearchSpec, workspace: Path) -> SearchSpec:
    """Return the spec, with the database of the runs as its registry if it names none."""
    if spec.tracking.uri:
        return spec
    tracking = spec.tracking.model_copy(update={"uri": default_tracking_uri(workspace)})
    return spec.model_copy(update={"tracking": tracking})


def version_of(spec: SearchSpec, address: str) -> str:
    """Return `NAME/VERSION` of a model in the registry of a spec with one."""
    return model_version(_registry(spec), address)


def download(spec: SearchSpec, address: str, name: str, folder: Path) -> Path:
    """Return the copy, in the folder, of a file that was registered with a model."""
    return download_model_file(_registry(spec), address, name, folder)


def _registry(spec: SearchSpec) -> str:
    assert spec.tracking.uri is not None
    return spec.tracking.uri
