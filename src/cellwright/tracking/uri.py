"""Tracking URIs: where their files are, and how they are shown."""

import re
import shlex
import sqlite3
import sys
from collections.abc import MutableMapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cellwright.credentials import MLFLOW_URI, split_login, without_credentials
from cellwright.errors import CellwrightError
from cellwright.folders import ARTIFACTS
from cellwright.spec.platform import TRACKING_ADDRESS

REGISTRY = "models:/"
"""Begins the address of a registered model."""
QUIET_SERVER = "MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"
"""Without the second, MLflow starts seven more processes for features that nothing here uses."""


def default_tracking_uri(workspace: Path) -> str:
    """Return the SQLite database that all workspaces of a folder of runs share."""
    return f"sqlite:///{workspace.parent.resolve() / 'mlflow.db'}"


def registry_uri(runs: Path, environ: MutableMapping[str, str], given: str | None = None) -> str:
    """Return the tracking URI that registered models are at: the given one, the environment's, or that of the runs.

    Raises:
        CellwrightError: MLflow cannot use the address, or there is no such database.
    """
    split_login(environ)
    uri = given or environ.get(MLFLOW_URI) or default_tracking_uri(runs / "any")
    check_uri(uri)
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        raise CellwrightError(
            f"{path} must be the MLflow database of registered models, and does not exist: name the folder of your "
            f"runs with --runs, or MLflow's address by {MLFLOW_URI}"
        )
    return uri


def check_uri(uri: str) -> None:
    """Refuse an address that MLflow cannot use, and a SQLite database in a folder that no address can spell.

    MLflow would open another database there.

    Raises:
        CellwrightError: names the address.
    """
    if not TRACKING_ADDRESS.matches(uri):
        raise CellwrightError(
            f"tracking.uri or {MLFLOW_URI} must be {TRACKING_ADDRESS.words}, got {without_credentials(uri)!r}"
        )
    if uri.startswith("sqlite:///") and re.search(r"[?]|%[0-9A-Fa-f]{2}", uri):
        raise CellwrightError(
            f"MLflow's database must be in a folder without ? and %XX in its path, got {uri}: choose one with --runs"
        )


def present_uri(recorded: str, workspace: Path) -> str:
    """Return where a run's database is now: beside its workspace, if both were moved or copied since."""
    path, here = sqlite_path(recorded), default_tracking_uri(workspace)
    beside = sqlite_path(here)
    if path is None or beside is None or path == beside or not beside.exists():
        return recorded
    has_moved = path.name == beside.name and path.parent.name == beside.parent.name
    return here if has_moved or not path.exists() else recorded


def is_server(uri: str) -> bool:
    """Return whether the URI is the address of an MLflow server."""
    return urlsplit(uri).scheme in ("http", "https")


def sqlite_path(uri: str) -> Path | None:
    """Return the database file that a SQLite URI names, None for any other URI."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


def artifacts_beside(uri: str) -> Path | None:
    """Return the folder of artifacts that belongs to a SQLite database, None for a server."""
    path = sqlite_path(uri)
    return path.parent / ARTIFACTS if path else None


_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow's database has addresses of artifacts, which are absolute."""


def follow_move(uri: str) -> None:
    """Let a SQLite database name the artifacts beside it again, after both were moved or copied together."""
    path, artifacts = sqlite_path(uri), artifacts_beside(uri)
    if path is None or artifacts is None or not (path.exists() and artifacts.is_dir()):
        return
    here = artifacts.as_uri()
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as database:
        known = [
            location
            for (location,) in database.execute("SELECT artifact_location FROM experiments")
            if location
        ]
        for there in {location for location in known if location.endswith(f"/{ARTIFACTS}")} - {here}:
            below = f"{there}/"
            runs = database.execute(
                "SELECT artifact_uri FROM runs WHERE substr(artifact_uri, 1, ?) = ?", (len(below), below)
            )
            names = (unquote(run.removeprefix(below)).partition("/")[0] for (run,) in runs)
            if not any((artifacts / name).exists() for name in names):
                continue  # another's artifacts, or of a run without files
            with database:
                for table, column in _PLACES:
                    database.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        (here, len(there) + 1, there, len(below), below),
                    )


def check_database(uri: str) -> None:
    """Refuse a SQLite database that another program made: MLflow would make its tables in it.

    Raises:
        CellwrightError: names the file.
    """
    path = sqlite_path(uri)
    if path is None or not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise CellwrightError(f"{path} must be a database of MLflow: {error}") from error
    if tables and "experiments" not in tables:
        raise CellwrightError(f"{path} must be a database of MLflow, and is another program's")


def ui_command(uri: str) -> str:
    """Return the shell command that opens MLflow's own page for a tracking URI."""
    python = shlex.quote(sys.executable)
    shown = shlex.quote(without_credentials(uri))
    if is_server(uri):
        return f"{python} -m webbrowser {shown}"
    return f"{QUIET_SERVER} {python} -m mlflow ui --workers 1 --backend-store-uri {shown}"
