"""The cluster as a step sees it: a short pod with its identity, keys and labels looks for the store and MLflow."""

import os
import time
from collections.abc import Iterator
from typing import Any

from cellwright.container_images import CELLWRIGHT
from cellwright.errors import CellwrightError
from cellwright.pod_labels import STEP
from cellwright.runners import Finding
from cellwright.runners.kubernetes.api import Cluster
from cellwright.runners.kubernetes.pods import CONTAINER_SECURITY, POD_SECURITY, problem_of
from cellwright.spec import SearchSpec, pack_spec, unpack_spec
from cellwright_pipelines.checking import secret_problems, server_problems
from cellwright_pipelines.granting import FINISH
from cellwright_pipelines.step_secrets import step_secrets

SPEC = "CELLWRIGHT_DOCTOR_SPEC"
"""The environment variable with the packed spec."""
NAME, CONTAINER, LINE = "doctor", "main", "MISSING "
SECONDS = 180
"""How long the pod may take, the pull of its image included."""
KEEP_SECONDS = 60
"""How long a Job is kept that nobody could delete."""
PENDING_SECONDS = 20.0
"""How long the pod may fail to start before that is reported."""
POLL_SECONDS = 1.0


class _NotRun(CellwrightError):
    """The pod has not run; the message says why."""


def look_inside(cluster: Cluster, spec: SearchSpec) -> Finding:
    """Return what keeps a step from the store and from MLflow, as a pod in the cluster's namespace sees it.

    Without the Secrets that it needs, no pod is started.

    Raises:
        CellwrightError: the pod cannot be created, or the cluster does not respond.
    """
    what = f"the store and MLflow, from a pod in {cluster.namespace}"
    if missing := list(secret_problems(spec, cluster)):
        return Finding(what, "; ".join(missing))
    job = cluster.ask(cluster.batch.create_namespaced_job, cluster.namespace, looking_job(spec))
    name = job.metadata.name
    try:
        pod = _ended(cluster, name)
        log = cluster.ask(cluster.core.read_namespaced_pod_log, pod.metadata.name, cluster.namespace)
    except _NotRun as error:
        return Finding(what, str(error))
    finally:
        cluster.ask(
            cluster.batch.delete_namespaced_job, name, cluster.namespace, propagation_policy="Background"
        )
    problems = [line.removeprefix(LINE) for line in log.splitlines() if line.startswith(LINE)]
    if pod.status.phase != "Succeeded":
        problems.append(" ".join(log.split()[-50:]) or "its pod failed without a word")
    return Finding(what, "; ".join(problems) or None)


def report() -> None:
    """Print, in the pod, a line for each error that a step would meet there."""
    for problem in step_problems(unpack_spec(os.environ[SPEC])):
        print(f"{LINE}{' '.join(problem.split())}")


def step_problems(spec: SearchSpec) -> Iterator[str]:
    """Yield what is wrong with the store and MLflow here; what cannot be asked is wrong too."""
    unasked: list[str] = []
    yield from server_problems(spec, unasked.append, create=False)
    yield from unasked


def looking_job(spec: SearchSpec) -> dict[str, Any]:
    """Return the `batch/v1` Job, which ends and is deleted by itself."""
    store = spec.store
    keys = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": key}}}
        for secret in step_secrets(spec)
        for key in secret.keys
    ]
    volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {"sizeLimit": FINISH.scratch}}]
    mounts = [{"name": "scratch", "mountPath": "/tmp"}]
    if store and store.claim:
        volumes.append({"name": "store", "persistentVolumeClaim": {"claimName": store.claim}})
        mounts.append({"name": "store", "mountPath": store.uri})
    amounts = {"cpu": FINISH.cpu, "memory": FINISH.memory}
    container = {
        "name": CONTAINER,
        "image": spec.pipeline.image or CELLWRIGHT,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", f"from {__name__} import report; report()"],
        "env": [{"name": SPEC, "value": pack_spec(spec)}, {"name": "HOME", "value": "/tmp"}, *keys],
        "resources": {"limits": amounts, "requests": amounts},
        "volumeMounts": mounts,
        "securityContext": CONTAINER_SECURITY,
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "containers": [container],
        "volumes": volumes,
    }
    if spec.pipeline.service_account:
        pod["serviceAccountName"] = spec.pipeline.service_account
    labels = {STEP: NAME}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": f"cellwright-{NAME}-", "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": SECONDS,
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "template": {
                "metadata": {"labels": labels, "annotations": {"sidecar.istio.io/inject": "false"}},
                "spec": pod,
            },
        },
    }


def _ended(cluster: Cluster, job: str) -> Any:
    """Wait until the Job's pod has ended, and return it.

    Raises:
        _NotRun: it cannot start, or takes too long.
    """
    began = time.monotonic()
    failing_since: float | None = None
    listing = cluster.core.list_namespaced_pod
    while (now := time.monotonic()) < began + SECONDS:
        pods = cluster.ask(listing, cluster.namespace, label_selector=f"job-name={job}").items
        for pod in pods:
            if pod.status.phase in ("Succeeded", "Failed"):
                return pod
            problem = problem_of(pod, FINISH)
            failing_since = (failing_since or now) if problem else None
            if problem and failing_since and now - failing_since > PENDING_SECONDS:
                raise _NotRun(problem.cause)
        time.sleep(POLL_SECONDS)
    raise _NotRun(f"the pod of the Job {job} did not end within {SECONDS} s")
