"""What the namespace of trials takes, from whoever may create something there."""

import copy
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import NAMESPACE, OVERLAY, SYSTEM, kubectl
from tests.cluster.searching import SAMPLED, on

ADMINISTRATOR = ""
PIPELINE = "system:serviceaccount:kubeflow:cellwright-pipeline"
SCHEDULE = "system:serviceaccount:kubeflow:pipeline-runner"
EMPTY: list[dict[str, Any]] = [{"name": "scratch", "emptyDir": {}}]
"""The volumes of a trial."""
MISTAKES = {
    "account": ({"serviceAccountName": "mlflow"}, "default cellwright-trial, got mlflow"),
    "account, by its old name": (
        {"serviceAccountName": None, "serviceAccount": "mlflow"},
        "default cellwright-trial, got mlflow",
    ),
    "priority": ({"priorityClassName": "system-node-critical"}, "got system-node-critical"),
    "pull secret": ({"imagePullSecrets": [{"name": "mlflow-database"}]}, "got mlflow-database"),
    "secret volume": (
        {"volumes": [*EMPTY, {"name": "more", "secret": {"secretName": "mlflow-database"}}]},
        "got mlflow-database",
    ),
    "projected volume": (
        {
            "volumes": [
                *EMPTY,
                {"name": "more", "projected": {"sources": [{"secret": {"name": "mlflow-database"}}]}},
            ]
        },
        "got mlflow-database",
    ),
    "driver's volume": (
        {"volumes": [*EMPTY, {"name": "more", "csi": {"driver": "secrets-store.csi.k8s.io"}}]},
        "volumes must be configMap, ",
    ),
}
"""Of a pod: what is changed, and how it is refused."""
CONTAINER_MISTAKES = {
    "environment": (
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "mlflow-database", "key": "uri"}}}]},
        "got mlflow-database",
    ),
    "whole environment": ({"envFrom": [{"secretRef": {"name": "mlflow-database"}}]}, "got mlflow-database"),
    "image": ({"image": "docker.io/me/mine:1"}, "ghcr.io/cellwright, got docker.io/me/mine:1"),
    "registry of a like name": ({"image": "ghcr.io/cellwright-too/a:1"}, "got ghcr.io/cellwright-too/a:1"),
}


def manifest(kind: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{kind}.yaml"
    path.write_text(yaml.safe_dump(on(kind, SAMPLED)))
    command = [sys.executable, "-m", "cellwright", "manifest", str(path)]
    return yaml.safe_load(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def job(store, namespace, tmp_path_factory) -> dict[str, Any]:
    """The Job of a trial."""
    return manifest("jobs", tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="module")
def experiment(store, namespace, tmp_path_factory) -> dict[str, Any]:
    return manifest("katib", tmp_path_factory.mktemp("experiment"))


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]


def changed(job: dict[str, Any], pod: dict[str, Any]) -> dict[str, Any]:
    """Return the Job with what is said of its pod; None for what is left out."""
    other = copy.deepcopy(job)
    spec = {**pod_of(other), **pod}
    other["spec"]["template"]["spec"] = {name: value for name, value in spec.items() if value is not None}
    return other


def created(what: dict[str, Any], who: str, namespace: str = NAMESPACE) -> "subprocess.CompletedProcess[str]":
    command = ["kubectl", "create", "--dry-run=server", "-n", namespace, "-f", "-"]
    return subprocess.run(
        [*command, *([f"--as={who}"] if who else [])],
        input=json.dumps(what),
        capture_output=True,
        text=True,
        check=False,
    )


def refusal(what: dict[str, Any], who: str) -> str:
    done = created(what, who)
    assert done.returncode == 1, done.stdout
    assert "ValidatingAdmissionPolicy 'cellwright-trial-pods'" in done.stderr
    return done.stderr


@pytest.mark.parametrize("who", [PIPELINE, SCHEDULE, ADMINISTRATOR])
def test_trials_are_taken(who: str, job, experiment):
    for what in (job, experiment):
        done = created(what, who)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("who", [PIPELINE, SCHEDULE, ADMINISTRATOR])
@pytest.mark.parametrize("name", MISTAKES)
def test_a_pod_that_is_more_than_a_trial_is_refused(name: str, who: str, job):
    pod, rule = MISTAKES[name]
    assert rule in refusal(changed(job, pod), who)


@pytest.mark.parametrize("place", ["containers", "initContainers"])
@pytest.mark.parametrize("name", CONTAINER_MISTAKES)
def test_a_container_that_is_more_than_a_trial_is_refused(name: str, place: str, job):
    container, rule = CONTAINER_MISTAKES[name]
    wrong = {**pod_of(job)["containers"][0], **container, "name": "other"}
    containers = [*pod_of(job).get(place, ()), wrong]
    assert rule in refusal(changed(job, {place: containers}), SCHEDULE)


def owners(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what else makes the pods of the Job."""
    template = copy.deepcopy(job["spec"]["template"])
    always = {**template, "spec": {**template["spec"], "restartPolicy": "Always"}}
    selected = {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": always}
    apps = {"apiVersion": "apps/v1", "metadata": {"name": "other"}}
    return {
        "Pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"}, "spec": template["spec"]},
        "CronJob": {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "other"},
            "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job["spec"]}},
        },
        "ReplicationController": {
            "apiVersion": "v1",
            "kind": "ReplicationController",
            "metadata": {"name": "other"},
            "spec": {"selector": template["metadata"]["labels"], "template": always},
        },
        "Deployment": {**apps, "kind": "Deployment", "spec": selected},
        "ReplicaSet": {**apps, "kind": "ReplicaSet", "spec": selected},
        "DaemonSet": {**apps, "kind": "DaemonSet", "spec": selected},
        "StatefulSet": {**apps, "kind": "StatefulSet", "spec": {**selected, "serviceName": "other"}},
    }


@pytest.mark.parametrize(
    "kind",
    ["Pod", "CronJob", "ReplicationController", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"],
)
def test_it_does_not_matter_what_makes_the_pod(kind: str, job):
    done = created(owners(job)[kind], ADMINISTRATOR)
    assert done.returncode == 0, done.stderr
    wrong = owners(changed(job, {"priorityClassName": "system-node-critical"}))[kind]
    assert "got system-node-critical" in refusal(wrong, ADMINISTRATOR)


def test_the_trials_of_an_experiment_are_jobs_of_the_same_kind(experiment):
    def with_trials(trials: dict[str, Any]) -> dict[str, Any]:
        other = copy.deepcopy(experiment)
        other["spec"]["trialTemplate"]["trialSpec"] = trials
        return other

    trials = experiment["spec"]["trialTemplate"]["trialSpec"]
    wrong = with_trials(changed(trials, {"serviceAccountName": "mlflow"}))
    assert "default cellwright-trial, got mlflow" in refusal(wrong, PIPELINE)
    text = json.dumps(trials)
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"annotations": {"as": text}},  # Katib wants every parameter to be used
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "pipeline-runner", "namespace": "kubeflow"}],
    }
    assert "must be Jobs of batch/v1" in refusal(with_trials(role), PIPELINE)


def test_a_pod_that_is_there_does_not_become_more(job):
    waiting = {**pod_of(job), "nodeSelector": {"no-such": "node"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "waiting"}, "spec": waiting}
    kubectl("create", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(pod))
    try:
        kubectl("label", "pod", "waiting", "-n", NAMESPACE, "a=b")
        for words in (
            ["set", "image", "pod/waiting", "trial=docker.io/me/mine:1"],
            ["debug", "waiting", "--image=docker.io/me/mine:1", "--profile=restricted"],
        ):
            done = subprocess.run(
                ["kubectl", *words, "-n", NAMESPACE], capture_output=True, text=True, check=False
            )
            assert "got docker.io/me/mine:1" in done.stderr
    finally:
        kubectl("delete", "pod", "waiting", "-n", NAMESPACE, "--wait=false")


def test_without_its_lists_the_policy_takes_nothing(job):
    kubectl("delete", "configmap", "trial-pods", "-n", SYSTEM)
    try:
        deadline = time.monotonic() + 30
        while (done := created(job, PIPELINE)).returncode == 0:  # the policy learns of it a moment later
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert "cellwright-trial-pods" in done.stderr
    finally:
        kubectl("apply", "-k", str(OVERLAY))
        while created(job, PIPELINE).returncode:
            assert time.monotonic() < deadline + 60
            time.sleep(0.5)


@pytest.mark.parametrize("who", [PIPELINE, SCHEDULE])
def test_only_administrators_create_anything_beside_mlflow(who: str, job):
    for what in (job, *owners(job).values()):
        assert "is forbidden: User" in created(what, who, SYSTEM).stderr


BEYOND = {
    "limits.cpu": ("maximum cpu usage per Container is 128, but limit is 129", {"cpu": "129"}),
    "limits.disk": ("maximum ephemeral-storage usage per Container is 1Ti", {"ephemeral-storage": "2Ti"}),
}
"""Of a container: how it is refused, and its limits."""


@pytest.mark.parametrize("name", BEYOND)
def test_a_container_takes_no_more_than_the_limits_of_the_namespace(name: str, job):
    rule, limits = BEYOND[name]
    container = pod_of(job)["containers"][0]
    resources = {what: {**amounts, **limits} for what, amounts in container["resources"].items()}
    pod = owners(changed(job, {"containers": [{**container, "resources": resources}]}))["Pod"]
    done = created(pod, ADMINISTRATOR)
    assert done.returncode == 1 and rule in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("kind", "spec", "resource"),
    [
        ("Service", {"type": "LoadBalancer", "ports": [{"port": 80}]}, "services.loadbalancers"),
        (
            "PersistentVolumeClaim",
            {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Ti"}}},
            "requests.storage",
        ),
    ],
)
def test_what_a_search_takes_is_bounded_by_the_quota(kind: str, spec: dict[str, Any], resource: str):
    what = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "beyond"}, "spec": spec}
    done = created(what, ADMINISTRATOR)
    assert done.returncode == 1 and f"exceeded quota: cellwright, requested: {resource}=" in done.stderr


def test_a_pod_that_says_nothing_gets_bounds(job):
    container = {name: value for name, value in pod_of(job)["containers"][0].items() if name != "resources"}
    pod = owners(changed(job, {"containers": [container]}))["Pod"]
    command = ["create", "--dry-run=server", "-o", "json", "-n", NAMESPACE, "-f", "-"]
    made = json.loads(kubectl(*command, stdin=json.dumps(pod)))
    given = made["spec"]["containers"][0]["resources"]
    assert {what: set(amounts) for what, amounts in given.items()} == {
        what: {"cpu", "memory", "ephemeral-storage"} for what in ("limits", "requests")
    }
