"""Detects and removes credentials in URIs, which anyone who can read a log, result or process list would see."""

import re
from collections.abc import MutableMapping
from urllib.parse import unquote, urlsplit

from cellwright.errors import CellwrightError

MLFLOW_URI, MLFLOW_USER, MLFLOW_PASSWORD = (
    f"MLFLOW_TRACKING_{name}" for name in ("URI", "USERNAME", "PASSWORD")
)
WAYS = (
    f"put them into the environment ({MLFLOW_USER} and {MLFLOW_PASSWORD}, AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY), and on a cluster into the Secret that tracking.secret or store.secret names"
)
_LOGIN = re.compile(r"://([^/\s]*|[^/@\s]*:[^@\s]*)@")
"""Also matches passwords with a slash, which strict parsers of URIs take for the end of the host."""


def has_credentials(text: str) -> bool:
    """Return whether the text has a URI with a user or password."""
    return _LOGIN.search(text) is not None


def without_credentials(text: str) -> str:
    """Remove the `user:password@` of every URI in the text."""
    return _LOGIN.sub("://", text)


def split_login(environ: MutableMapping[str, str]) -> None:
    """Move the user and password in MLFLOW_TRACKING_URI to MLflow's own variables.

    Raises:
        CellwrightError: the URI is invalid, or its scheme is not http or https.
    """
    uri = environ.get(MLFLOW_URI, "")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise CellwrightError(f"{MLFLOW_URI} must be an address: {error}") from error
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if "@" not in parts.netloc and not has_credentials(uri):
        return
    if parts.scheme not in ("http", "https") or has_credentials(bare):
        raise CellwrightError(f"{MLFLOW_URI} must be without user and password: {WAYS}")
    login = {MLFLOW_USER: unquote(parts.username or ""), MLFLOW_PASSWORD: unquote(parts.password or "")}
    environ.update({MLFLOW_URI: bare, **login})
