"""Tracking URIs: where their files are, and how they are shown."""

import re
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

QUIET_SERVER = "MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false"
"""Without the second, MLflow starts seven more processes for features that nothing here uses."""


def without_credentials(text: str) -> str:
    """Drop the `user:password@` of every URI in `text`."""
    return re.sub(r"://[^/\s]*@", "://", text)


def is_server(uri: str) -> bool:
    """Tell whether the URI is the address of an MLflow server."""
    return urlsplit(uri).scheme in ("http", "https")


def sqlite_path(uri: str) -> Path | None:
    """Return the database file that a SQLite URI names, None for any other URI."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


def ui_command(uri: str) -> str:
    """Return the shell command that opens MLflow's own page for a tracking URI."""
    python = shlex.quote(sys.executable)
    shown = shlex.quote(without_credentials(uri))
    if is_server(uri):
        return f"{python} -m webbrowser {shown}"
    return f"{QUIET_SERVER} {python} -m mlflow ui --workers 1 --backend-store-uri {shown}"
