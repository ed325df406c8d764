"""The folder that a command works in, which is known to be ours before anything is done."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellwright.cli import processes

if TYPE_CHECKING:
    from cellwright.spec import SearchSpec

SERVER_SECONDS = 5.0
"""How long an MLflow server may be away before a command that registers begins."""


@contextmanager
def opened(spec: "SearchSpec", runs: Path, *, fresh: bool = False, registers: bool = False) -> Iterator[Path]:
    """Give the spec's folder, made and known to be writable by the first of several processes; keep it from --fresh.

    Args:
        spec: whose folder it is.
        runs: the folder of all specs.
        fresh: whether to delete first what earlier commands made there.
        registers: whether the command reads or writes what MLflow has registered.

    Raises:
        CellwrightError: the folder is not ours, in use, or cannot be written.
    """
    from cellwright.errors import CellwrightError
    from cellwright.folders import claim, forget_this_process, locked, used
    from cellwright.report.latest import LATEST

    workspace = runs / spec.name
    with ExitStack() as held:
        if processes.is_first():
            _check(spec, workspace, fresh=fresh, registers=registers)
            try:
                held.enter_context(used(workspace, fresh=fresh))
                with locked(workspace), tempfile.TemporaryFile(dir=workspace) as probe:
                    claim(workspace / LATEST)
                    probe.write(bytes(4096))
            except OSError as error:
                raise CellwrightError(f"cannot write {workspace}: {error.strerror or error}") from error
            held.callback(forget_this_process, workspace)
        processes.wait()
        yield workspace


def named(thing: str, runs: Path) -> Path:
    """Return the folder of a finished run, given as a folder or by its spec.

    Raises:
        CellwrightError: no run has finished there.
    """
    from cellwright.errors import CellwrightError
    from cellwright.report.latest import LATEST, workspace_of

    workspace = workspace_of(thing, runs)
    if not (workspace / LATEST).exists():
        raise CellwrightError(f"{workspace} must be the folder of a finished run: it holds no {LATEST}")
    return workspace


def _check(spec: "SearchSpec", workspace: Path, *, fresh: bool, registers: bool) -> None:
    """Refuse, before anything is made, a folder that something of the user's is in the way of."""
    from cellwright.errors import CellwrightError
    from cellwright.folders import check_apart, check_ours, check_workspace
    from cellwright.tracking import (
        artifacts_beside,
        check_database,
        check_login,
        check_server,
        is_server,
        mlflow_retry,
    )
    from cellwright.tracking.uri import check_uri, default_tracking_uri

    data = {
        f"data.{key}": location for key, location in spec.data.locations.items() if isinstance(location, Path)
    }
    check_workspace(workspace, data)
    starts = {"start.search": spec.start.search, "retrain.start": spec.retrain.start}
    for key, location in starts.items():
        if fresh and isinstance(location, Path) and location.resolve().is_relative_to(workspace.resolve()):
            raise CellwrightError(f"--fresh must not delete {key}, got {location}: omit --fresh, or move it")
    if registers:
        uri = spec.completed(os.environ).tracking.uri or default_tracking_uri(workspace)
        check_uri(uri)
        check_database(uri)
        if is_server(uri):
            mlflow_retry(seconds=SERVER_SECONDS)(check_server, uri)
        elif artifacts_beside(uri) is None:
            mlflow_retry(seconds=SERVER_SECONDS)(check_login, uri)
        if (artifacts := artifacts_beside(uri)) is not None:
            check_apart(artifacts, data)
            check_ours(artifacts, "artifacts")
