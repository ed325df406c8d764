"""The pods of a pipeline's steps, about which Kubeflow Pipelines itself says little."""

from typing import Any

from cellwright.pod_labels import STEP
from cellwright.runners.kubernetes.api import Cluster
from cellwright.runners.kubernetes.pods import problem_of
from cellwright.spec import Resources

CONTAINER = "main"


class StepPods:
    """The pods of one pipeline run.

    Args:
        cluster: the cluster, with the run's namespace.
        run_id: id of the run.
    """

    def __init__(self, cluster: Cluster, run_id: str) -> None:
        self.cluster = cluster
        self.run_id = run_id

    def log(self, step: str) -> str:
        """Return the log of a step's last pod; empty if there is none."""
        pod = self._newest(step)
        if pod is None:
            return ""
        read = self.cluster.core.read_namespaced_pod_log
        return str(self.cluster.ask(read, pod.metadata.name, self.cluster.namespace, container=CONTAINER))

    def problem(self, step: str) -> str | None:
        """Return why a step's last pod does not run, or None if it does."""
        pod = self._newest(step)
        if pod is None:
            return None
        main = next(container for container in pod.spec.containers if container.name == CONTAINER)
        limits = (main.resources.limits if main.resources else None) or {}
        problem = problem_of(pod, Resources(memory=limits.get("memory", "0")))
        return problem.cause if problem else None

    def _newest(self, step: str) -> Any:
        selector = f"pipeline/runid={self.run_id},{STEP}={step}"
        listing = self.cluster.core.list_namespaced_pod
        pods = self.cluster.ask(listing, self.cluster.namespace, label_selector=selector).items
        return max(pods, key=lambda pod: pod.metadata.creation_timestamp, default=None)
