"""Talking to a Kubernetes API server: requests are repeated where the reason may pass, and errors are in words."""

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

from cellwright.errors import CellwrightError
from cellwright.retrying import Retry, status_may_pass

SECONDS = 180.0
"""How long a request of a search is repeated."""
COMMAND_SECONDS = 10.0
"""The same for a command that somebody waits for."""
TIMEOUT = 30
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""The media type of an object without its content."""
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def load_kubeconfig() -> None:
    """Tell the kubernetes client where the cluster is: by the kubeconfig, or this pod's own.

    Raises:
        CellwrightError: there is no cluster, the kubeconfig is broken, or its login fails.
    """
    said = _Said()
    logging.getLogger().addHandler(said)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            kubernetes.config.load_config()
    except Exception as error:  # of a broken file, the client raises nearly anything
        place = os.environ.get("KUBECONFIG") or "~/.kube/config"
        raise CellwrightError(
            f"a cluster is needed: KUBECONFIG must name its file, or this must be a pod; {place} cannot be used: "
            f"{' '.join(str(error).split()) or type(error).__name__}"
        ) from error
    finally:
        logging.getLogger().removeHandler(said)
    if said.errors:
        raise CellwrightError(
            f"the login of the kubeconfig must succeed, and does not: {'; '.join(said.errors)}"
        )


class _Said(logging.Handler):
    """Keeps the errors of the login of a kubeconfig, which the client logs and then ignores."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(" ".join(record.getMessage().split()))


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, ApiException):
        return status_may_pass(error.status or 0)
    return isinstance(error, urllib3.exceptions.HTTPError | OSError)


class Cluster:
    """One namespace of the cluster that the kubeconfig names, or that this pod runs in.

    Args:
        namespace: by default that of the kubeconfig's context, or of this pod.
        say: told why a request is repeated.
        seconds: how long one is.

    Raises:
        CellwrightError: there is no cluster.
    """

    def __init__(
        self, namespace: str | None, say: Callable[[str], None], *, seconds: float = SECONDS
    ) -> None:
        load_kubeconfig()
        self.namespace = namespace or _default_namespace()
        self.say = say
        self._retry = Retry(_may_pass, seconds=seconds, tell=self._say_why, tell_after=3)
        self.core = kubernetes.client.CoreV1Api()
        self.apps = kubernetes.client.AppsV1Api()
        self.batch = kubernetes.client.BatchV1Api()
        self.objects = kubernetes.client.CustomObjectsApi()
        self.access = kubernetes.client.AuthorizationV1Api()

    def at(self, namespace: str) -> "Cluster":
        """Return the same cluster, of which another namespace is meant."""
        other = copy.copy(self)
        other.namespace = namespace
        return other

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the API's answer; requests are repeated where the reason may pass.

        Raises:
            CellwrightError: refused, or no answer.
        """
        try:
            return self._retry(call, *args, _request_timeout=TIMEOUT, **kwargs)
        except ApiException as error:
            raise CellwrightError(f"kubernetes: {call.__name__}: {describe(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            address = kubernetes.client.Configuration.get_default_copy().host
            raise CellwrightError(
                f"kubernetes: {call.__name__}: no answer from {address}: {error}"
            ) from error

    def find(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the API's answer, or None where the object is not there."""
        return self._unless(404, call, *args, **kwargs)

    def has_secret(self, name: str) -> bool:
        """Return whether there is a Secret, asking for its metadata alone."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{name}"

        def read_secret_metadata(**how: Any) -> Any:
            return self.core.api_client.call_api(
                path,
                "GET",
                header_params={"Accept": METADATA},
                auth_settings=["BearerToken"],
                _preload_content=False,
                **how,
            )

        return self.find(read_secret_metadata) is not None

    def create(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Create an object; return None where there is one of that name."""
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
        self.say(f"kubernetes does not answer, asking again: {reason}")


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
