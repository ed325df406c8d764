"""Talking to a Kubernetes API server: requests are repeated where the reason may pass, and errors are in words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes
import urllib3
from kubernetes.client import ApiException

from cellwright.errors import CellwrightError
from cellwright.retrying import Retry, status_may_pass

SECONDS = 180.0
TIMEOUT = 30
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, ApiException):
        return status_may_pass(error.status or 0)
    return isinstance(error, urllib3.exceptions.HTTPError | OSError)


class Cluster:
    """One namespace of the cluster that the kubeconfig names, or that this pod runs in.

    Args:
        namespace: the one of the kubeconfig's context, or of this pod, unless said.
        say: told why a request is repeated.

    Raises:
        CellwrightError: there is no cluster.
    """

    def __init__(self, namespace: str | None, say: Callable[[str], None]) -> None:
        try:
            kubernetes.config.load_config()
        except kubernetes.config.ConfigException as error:
            raise CellwrightError(
                f"a cluster is needed: KUBECONFIG must name its file, or this must be a pod: {error}"
            ) from error
        self.namespace = namespace or _default_namespace()
        self.say = say
        self._retry = Retry(_may_pass, seconds=SECONDS, tell=self._say_why, tell_after=3)
        self.core = kubernetes.client.CoreV1Api()
        self.apps = kubernetes.client.AppsV1Api()
        self.batch = kubernetes.client.BatchV1Api()
        self.objects = kubernetes.client.CustomObjectsApi()
        self.access = kubernetes.client.AuthorizationV1Api()

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the API's answer; requests are repeated for three minutes where the reason may pass.

        Raises:
            CellwrightError: refused, or no answer.
        """
        try:
            return self._retry(call, *args, _request_timeout=TIMEOUT, **kwargs)
        except ApiException as error:
            raise CellwrightError(f"kubernetes: {call.__name__}: {describe(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise CellwrightError(f"kubernetes: {call.__name__}: no answer: {error}") from error

    def find(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the API's answer, or None where the object is not there."""
        return self._unless(404, call, *args, **kwargs)

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
