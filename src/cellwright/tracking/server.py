"""Asking an address whether an MLflow server that we can use answers there, before anything starts."""

import logging
import os
import re
import socket
from typing import Any

from cellwright.credentials import without_credentials
from cellwright.errors import CellwrightError
from cellwright.retrying import is_transient_status
from cellwright.tracking.retrying import MlflowUnavailable

API = "/api/2.0/mlflow/experiments/search?max_results=1"
OLDEST = 3
"""The major version whose API is used."""


class UnknownHost(CellwrightError):
    """The address's host has no address here; it may have one in a cluster."""


def check_server(uri: str, seconds: float = 3.0) -> None:
    """Require an MLflow server at the address.

    Args:
        uri: its http(s) address.
        seconds: to wait for an answer.

    Raises:
        UnknownHost: there is no such host here.
        MlflowUnavailable: it does not answer, which may pass.
        CellwrightError: something else answers, or an MLflow that is too old, or it refuses.
    """
    answer = _get(uri, API, seconds)
    kind = answer.headers.get("content-type", "something without a type").partition(";")[0]
    if is_transient_status(answer.status_code):
        raise MlflowUnavailable(_said(uri, f"answers {answer.status_code}"))
    if answer.status_code in (401, 403):
        raise CellwrightError(
            _said(
                uri,
                f"refuses ({answer.status_code}): its user and password are MLFLOW_TRACKING_USERNAME and _PASSWORD",
            )
        )
    if answer.status_code != 200 or not _is_object(answer):
        raise CellwrightError(
            _said(uri, f"must be MLflow's API, but what answers is {kind}, status {answer.status_code}")
        )
    version = _get(uri, "/version", seconds).text.strip()
    if (numbers := re.match(r"(\d+)\.\d", version)) and int(numbers[1]) < OLDEST:
        raise CellwrightError(_said(uri, f"must be MLflow {OLDEST} or later, got {version}"))


def check_login(uri: str) -> None:
    """Require that a database server or Databricks lets MLflow in; no tables are made.

    Raises:
        MlflowUnavailable: it does not answer, which may pass.
        CellwrightError: its driver is not installed, or it refuses.
    """
    from mlflow.utils.databricks_utils import get_databricks_host_creds
    from sqlalchemy import create_engine

    from cellwright.tracking.connection import translate_errors

    with translate_errors(uri, "connecting"):
        if uri.startswith("databricks"):
            logging.getLogger("mlflow.utils.databricks_utils").setLevel(logging.ERROR)
            get_databricks_host_creds(uri)  # type: ignore[no-untyped-call]
        else:
            create_engine(uri).connect().close()


def _get(uri: str, path: str, seconds: float) -> Any:
    import requests

    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    verify = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or (
        os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() not in ("1", "true")
    )
    try:
        return requests.get(
            f"{uri.rstrip('/')}{path}",
            timeout=seconds,
            auth=(user, password or "") if user else None,
            headers={"Authorization": f"Bearer {token}"} if token and not user else {},
            verify=verify,
        )
    except (requests.RequestException, UnicodeError) as error:
        causes = _causes(error)
        reason = f"does not answer: {causes[-1]}"
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            raise UnknownHost(_said(uri, reason)) from error
        passes = isinstance(error, requests.ConnectionError | requests.Timeout)
        is_safe = not isinstance(error, requests.exceptions.SSLError)
        raise (MlflowUnavailable if passes and is_safe else CellwrightError)(_said(uri, reason)) from error


def _causes(error: BaseException) -> list[BaseException]:
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    return causes


def _is_object(answer: Any) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False


def _said(uri: str, reason: str) -> str:
    return without_credentials(f"tracking.uri: {uri} {reason}")
