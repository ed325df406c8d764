"""Tracking URIs: where their files are, and how they are shown."""

import shlex
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from cellwright.credentials import without_credentials
from cellwright.errors import CellwrightError
from cellwright.folders import ARTIFACTS

QUIET_SERVER = "MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"
"""Without the second, MLflow starts seven more processes for features that nothing here uses."""


def default_tracking_uri(workspace: Path) -> str:
    """Return the SQLite database that all workspaces of a folder of runs share."""
    return f"sqlite:///{workspace.parent.resolve() / 'mlflow.db'}"


def is_server(uri: str) -> bool:
    """Tell whether the URI is the address of an MLflow server."""
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
