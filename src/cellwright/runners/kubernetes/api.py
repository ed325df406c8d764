"""Requests to a Kubernetes API server, with retries and readable errors."""

import contextlib
import copy
import io
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes
import urllib3
from kubernetes.client import ApiException

from cellwright.errors import CellwrightError, RefusedError
from cellwright.retrying import Retry, is_transient_status

SECONDS = 180.0
"""How long to retry a request of a search."""
COMMAND_SECONDS = 10.0
"""How long to retry a request of an interactive command."""
TIMEOUT = 30
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Media type of an object's metadata without its content."""
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def load_kubeconfig() -> str:
    """Configure the Kubernetes client from the kubeconfig, or from this pod's service account.

    Returns:
        The address of the cluster's API.

    Raises:
        CellwrightError: there is no cluster, the kubeconfig is invalid, or its login fails.
    """
    log = _ErrorLog()
    logging.getLogger().addHandler(log)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            kubernetes.config.load_config()
    except Exception as error:  # the client raises almost anything if the file is invalid
        location = os.environ.get("KUBECONFIG") or "~/.kube/config"
        raise CellwrightError(
            f"a cluster is needed: KUBECONFIG must name its file, or this must be a pod; {location} cannot be used: "
            f"{' '.join(str(error).split()) or type(error).__name__}"
        ) from error
    finally:
        logging.getLogger().removeHandler(log)
    if log.errors:
        raise CellwrightError(
            f"the login of the kubeconfig must succeed, and does not: {'; '.join(log.errors)}"
        )
    return str(kubernetes.client.Configuration.get_default_copy().host)


class _ErrorLog(logging.Handler):
    """Collects errors of a kubeconfig's login, which the client only logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(" ".join(record.getMessage().split()))


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, ApiException):
        return is_transient_status(error.status or 0)
    return isinstance(error, urllib3.exceptions.HTTPError | OSError)


class Cluster:
    """One namespace of the cluster in the kubeconfig, or of the cluster that this pod runs in.

    Args:
        namespace: by default, that of the kubeconfig's context or of this pod.
        log: receives a message when a request is retried.
        seconds: how long to retry a request.

    Raises:
        CellwrightError: there is no cluster.
    """

    def __init__(
        self, namespace: str | None, log: Callable[[str], None], *, seconds: float = SECONDS
    ) -> None:
        load_kubeconfig()
        self.namespace = namespace or _default_namespace()
        self.log = log
        self._retry = Retry(_is_transient, seconds=seconds, report=self._say_why, report_after=3)
        self.core = kubernetes.client.CoreV1Api()
        self.apps = kubernetes.client.AppsV1Api()
        self.batch = kubernetes.client.BatchV1Api()
        self.objects = kubernetes.client.CustomObjectsApi()
        self.access = kubernetes.client.AuthorizationV1Api()

    def at(self, namespace: str) -> "Cluster":
        """Return the same cluster with another namespace."""
        other = copy.copy(self)
        other.namespace = namespace
        return other

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the API's response; temporary errors are retried.

        Raises:
            RefusedError: this identity may not do that.
            CellwrightError: the request failed, or there was no response.
        """
        try:
            return self._retry(call, *args, _request_timeout=TIMEOUT, **kwargs)
        except ApiException as error:
            kind = RefusedError if _is_refusal(error) else CellwrightError
            raise kind(f"kubernetes: {call.__name__}: {describe(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            address = kubernetes.client.Configuration.get_default_copy().host
            raise CellwrightError(
                f"kubernetes: {call.__name__}: no answer from {address}: {error}"
            ) from error

    def find(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the API's response, or None if the object does not exist."""
        return self._unless(404, call, *args, **kwargs)

    def has_secret(self, name: str) -> bool:
        """Return whether a Secret exists, by reading only its metadata."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{name}"

        def read_secret_metadata(**how: Any) -> Any:
            return self.core.api_client.call_api(
                path,
                "GET",
                header_params={"Accept": METADATA},
                auth_settings=["BearerToken"],
                **how,
            )

        return self.find(read_secret_metadata) is not None

    def create(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Create an object; return None if its name already exists."""
        return self._unless(409, call, *args, **kwargs)

    def _unless(self, status: int, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return self.ask(call, *args, **kwargs)
        except CellwrightError as error:
            if isinstance(error.__cause__, ApiException) and error.__cause__.status == status:
                return None
            raise

    def _say_why(self, error: BaseException) -> None:
        reason = describe(error) if isinstance(error, ApiException) else error
        self.log(f"kubernetes does not answer, asking again: {reason}")


def _is_refusal(error: ApiException) -> bool:
    """Return whether a request is forbidden, and not just because a quota is used up, which may pass."""
    return error.status == 403 and "exceeded quota" not in describe(error)


def describe(error: ApiException) -> str:
    """Return the message of the API server."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


def _default_namespace() -> str:
    if OWN_NAMESPACE.exists():
        return OWN_NAMESPACE.read_text().strip()
    _, active = kubernetes.config.list_kube_config_contexts()
    return str(active["context"].get("namespace", "default"))
