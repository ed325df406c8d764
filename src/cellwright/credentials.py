"""Credentials in addresses: whoever can read a log, a result or a process's arguments can read them there."""

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
"""Also of a password with a slash, which ends the host for those who read URIs by the book."""


def has_credentials(text: str) -> bool:
    """Tell whether the text has a URI with a user or password."""
    return _LOGIN.search(text) is not None


def without_credentials(text: str) -> str:
    """Drop the `user:password@` of every URI in the text."""
    return _LOGIN.sub("://", text)


def split_login(environ: MutableMapping[str, str]) -> None:
    """Move the user and password in MLFLOW_TRACKING_URI to the variables that MLflow has for them.

    Raises:
        CellwrightError: that server is not reached by http, or the URI is no valid one.
    """
    uri = environ.get(MLFLOW_URI, "")
    parts = urlsplit(uri)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if "@" not in parts.netloc and not has_credentials(uri):
        return
    if parts.scheme not in ("http", "https") or has_credentials(bare):
        raise CellwrightError(f"{MLFLOW_URI} must be without user and password: {WAYS}")
    login = {MLFLOW_USER: unquote(parts.username or ""), MLFLOW_PASSWORD: unquote(parts.password or "")}
    environ.update({MLFLOW_URI: bare, **login})
