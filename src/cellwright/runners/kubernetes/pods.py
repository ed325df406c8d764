"""Trials as pods: the Job of a trial, and the reasons why a pod does not run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cellwright.canonical import digest
from cellwright.container_images import CELLWRIGHT
from cellwright.pod_labels import SEARCH, TRIAL
from cellwright.report.lines import last_error
from cellwright.runners.kubernetes.section import ClusterSection
from cellwright.spec import Resources, SearchSpec, StoreSection

CONTAINER = "trial"
USER = 1000
"""User id of the images."""
POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
"""With these two, a pod may run where Pod Security is `restricted`."""
LONGEST_NAME = 40
"""Maximum length of an Experiment's name in Katib."""
MISTAKE, OUT_OF_MEMORY = 1, 137
"""Exit codes that a retry would not change."""
NOT_STARTING = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialPods:
    """The common properties of the pods of a search's trials.

    Args:
        search: name of the search, used as a label and as a folder in the store.
        runner: image, profile and limits.
        store: the store of requests and results.
        image: the image if the runner names none.
        resources: the resources if the runner has none.
    """

    search: str
    runner: ClusterSection
    store: StoreSection
    image: str
    resources: Resources

    @classmethod
    def of(cls, spec: SearchSpec, run: str = "") -> Self:
        """Return the common properties of a search's pods.

        Args:
            spec: a spec with a runner on a cluster.
            run: id of the search's run; by default, the search is identified by the spec.
        """
        assert isinstance(spec.runner, ClusterSection) and spec.store is not None
        tail = digest([run or spec.digest])[:8]
        return cls(
            search=f"{spec.name[: LONGEST_NAME - 9].rstrip('-')}-{tail}",
            runner=spec.runner,
            store=spec.store,
            image=CELLWRIGHT,
            resources=spec.resources,
        )

    def job(
        self, trial: str, arguments: Sequence[str] = (), *, keep_seconds: int | None = None
    ) -> dict[str, Any]:
        """Return the `batch/v1` Job of a trial, without a name."""
        labels = {**self.labels, TRIAL: trial}
        command = [
            "cellwright",
            "trial",
            "--store",
            self.store.uri,
            "--search",
            self.search,
            "--trial",
            trial,
        ]
        if self.store.kind is not None:
            command += ["--store-kind", self.store.kind]
        spec = {
            "backoffLimit": self.runner.retries,
            "podFailurePolicy": {"rules": self._failure_rules()},
            "template": {
                "metadata": {"labels": labels, "annotations": {"sidecar.istio.io/inject": "false"}},
                "spec": self._pod([*command, *arguments]),
            },
        }
        if self.runner.max_seconds is not None:
            spec["activeDeadlineSeconds"] = max(1, round(self.runner.max_seconds))
        if keep_seconds is not None:
            spec["ttlSecondsAfterFinished"] = keep_seconds
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"labels": labels}, "spec": spec}

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of all objects of the search."""
        return {**self.runner.all_labels, SEARCH: self.search}

    @property
    def profile(self) -> Resources:
        """Return the resources of a trial."""
        return self.runner.resources or self.resources

    def _failure_rules(self) -> list[dict[str, Any]]:
        evicted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
        final = {
            "action": "FailJob",
            "onExitCodes": {
                "containerName": CONTAINER,
                "operator": "In",
                "values": [MISTAKE, OUT_OF_MEMORY],
            },
        }
        return [evicted, final] if self.profile.spot else [final]

    def _pod(self, command: list[str]) -> dict[str, Any]:
        profile, store = self.profile, self.store
        volumes: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {"sizeLimit": profile.scratch}}]
        mounts = [{"name": "scratch", "mountPath": "/tmp"}]
        if store.claim:
            volumes.append({"name": "store", "persistentVolumeClaim": {"claimName": store.claim}})
            mounts.append({"name": "store", "mountPath": store.uri})
        environment = {"HOME": "/tmp", "OMP_NUM_THREADS": str(profile.threads)}
        if store.endpoint:
            environment["AWS_ENDPOINT_URL"] = store.endpoint
        keys = store.secret_keys if store.secret else ()
        amounts = {"cpu": profile.cpu, "memory": profile.memory, "ephemeral-storage": profile.scratch}
        if profile.gpus:
            amounts[profile.gpu_resource] = str(profile.gpus)
        container = {
            "name": CONTAINER,
            "image": self.runner.image or self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": command,
            "env": [
                *({"name": name, "value": value} for name, value in environment.items()),
                *(
                    {"name": key, "valueFrom": {"secretKeyRef": {"name": store.secret, "key": key}}}
                    for key in keys
                ),
            ],
            "resources": {
                "limits": amounts,
                "requests": {**amounts, "cpu": profile.cpu_request or profile.cpu},
            },
            "volumeMounts": mounts,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": CONTAINER_SECURITY,
        }
        pod = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": POD_SECURITY,
            "containers": [container],
            "volumes": volumes,
            "nodeSelector": profile.node_selector,
            "tolerations": [t.model_dump(exclude_none=True) for t in profile.tolerations],
            "affinity": profile.affinity,
            "priorityClassName": profile.priority_class,
            "serviceAccountName": profile.service_account,
            "imagePullSecrets": [{"name": name} for name in profile.image_pull_secrets],
        }
        return {name: value for name, value in pod.items() if value or value is False}


@dataclass(frozen=True, slots=True)
class PodProblem:
    """The problem of a pod."""

    cause: str
    is_final: bool
    """Whether the pod has ended; otherwise, it cannot start at the moment."""


def problem_of(pod: Any, profile: Resources) -> PodProblem | None:
    """Return the problem of a pod (V1Pod), or None."""
    for status in pod.status.container_statuses or ():
        ended, waiting = status.state.terminated, status.state.waiting
        if ended and ended.exit_code:
            return PodProblem(_why_ended(ended, profile), True)
        if waiting and waiting.reason in NOT_STARTING:
            return PodProblem(f"{waiting.reason}: {waiting.message or pod.spec.containers[0].image}", False)
    if pod.status.phase == "Failed":
        return PodProblem(f"{pod.status.reason}: {pod.status.message}", True)
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return PodProblem(f"{condition.reason}: {condition.message}", False)
    return None


def _why_ended(ended: Any, profile: Resources) -> str:
    if ended.reason == "OOMKilled":
        return f"OOMKilled: used more than its memory limit, {profile.memory}"
    message = (ended.message or "").strip()
    last_line = message.splitlines()[-1] if message else f"{ended.reason}, exit code {ended.exit_code}"
    return last_error(message) or last_line


def newest_by_trial(items: Sequence[Any]) -> Mapping[str, Any]:
    """Return the newest Job or pod of each trial, by its label."""
    return {
        item.metadata.labels[TRIAL]: item
        for item in sorted(items, key=lambda item: item.metadata.creation_timestamp)
    }
