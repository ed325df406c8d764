from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client

from cellwright.report.lines import ErrorMessage, write_line
from cellwright.runners.kubernetes.pods import TrialPods, problem_of
from cellwright.runners.kubernetes.section import JobsSection
from cellwright.spec import Resources, StoreSection

PROFILE = {
    "cpu": "2",
    "memory": "4Gi",
    "scratch": "30Gi",
    "gpus": 1,
    "node_selector": {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priority_class": "low",
    "service_account": "trials",
    "image_pull_secrets": ["registry"],
    "spot": True,
}


def job_of(profile: dict[str, Any], store: dict[str, Any] | None = None, **runner: Any) -> dict[str, Any]:
    pods = TrialPods(
        search="digits-1",
        runner=JobsSection.model_validate({"kind": "jobs", **runner}),
        store=StoreSection.model_validate(store or {"uri": "s3://bucket/nas"}),
        image="image:1",
        resources=Resources.model_validate(profile),
    )
    return pods.job("3-0")


def test_the_whole_profile_reaches_the_pod():
    job = job_of(PROFILE)
    pod = job["spec"]["template"]["spec"]
    amounts = {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "30Gi", "nvidia.com/gpu": "1"}
    assert pod["containers"][0]["resources"] == {"limits": amounts, "requests": amounts}
    assert pod["volumes"] == [{"name": "scratch", "emptyDir": {"sizeLimit": "30Gi"}}]
    assert pod["nodeSelector"] == PROFILE["node_selector"]
    assert pod["tolerations"] == PROFILE["tolerations"]
    assert pod["affinity"] == PROFILE["affinity"]
    assert pod["priorityClassName"] == "low"
    assert pod["serviceAccountName"] == "trials"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert job["spec"]["podFailurePolicy"]["rules"][0] == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget"}],
    }


def test_the_runner_may_have_a_profile_of_its_own():
    pod = job_of(PROFILE, resources={"cpu": "500m"})["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"] == {
        "cpu": "500m",
        "memory": "2Gi",
        "ephemeral-storage": "10Gi",
    }
    assert "nodeSelector" not in pod


def test_a_pod_needs_no_privilege():
    pod = job_of({})["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_two_keys_come_from_a_secret_and_a_volume_from_its_claim():
    store = {"uri": "s3://bucket", "endpoint": "http://s3:9000", "secret": "keys"}
    container = job_of({}, store)["spec"]["template"]["spec"]["containers"][0]
    assert "envFrom" not in container
    assert [each for each in container["env"] if "valueFrom" in each] == [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": "keys", "key": key}}}
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    ]
    assert {"name": "AWS_ENDPOINT_URL", "value": "http://s3:9000"} in container["env"]
    pod = job_of({}, {"uri": "/shared/nas", "claim": "nas"})["spec"]["template"]["spec"]
    assert {"name": "store", "persistentVolumeClaim": {"claimName": "nas"}} in pod["volumes"]
    assert {"name": "store", "mountPath": "/shared/nas"} in pod["containers"][0]["volumeMounts"]


@pytest.mark.parametrize(
    "labels",
    [
        {"app.kubernetes.io/name": "mlflow"},
        {"cellwright.dev/trial": "0-0"},
        {"katib.kubeflow.org/suggestion": "a"},
        {"batch.kubernetes.io/job-name": "a"},
        {"job-name": "a"},
        {"team": "a b"},
        {"te am": "a"},
        {"/team": "a"},
    ],
)
def test_labels_that_say_what_a_pod_is_are_refused(labels):
    with pytest.raises(ValueError, match=f"got '{next(iter(labels))}'"):
        job_of({}, labels=labels)


def test_other_labels_reach_the_pod_beside_those_of_the_run():
    section = JobsSection.model_validate(
        {"kind": "jobs", "labels": {"team": "vision", "a.example.com/b": ""}}
    )
    assert section.owned_by("run-1").all_labels == {
        "team": "vision",
        "a.example.com/b": "",
        "cellwright.dev/run": "run-1",
    }
    assert JobsSection.model_validate_json(section.owned_by("run-1").model_dump_json()) == section
    labels = job_of({}, labels={"team": "vision"})["spec"]["template"]["metadata"]["labels"]
    assert labels == {"team": "vision", "cellwright.dev/search": "digits-1", "cellwright.dev/trial": "3-0"}


def pod_of(phase: str = "Pending", **status: Any) -> client.V1Pod:
    container = client.V1Container(name="trial", image="image:1")
    return client.V1Pod(
        metadata=client.V1ObjectMeta(creation_timestamp=datetime.now(UTC)),
        spec=client.V1PodSpec(containers=[container]),
        status=client.V1PodStatus(phase=phase, **status),
    )


def in_state(**state: Any) -> list[client.V1ContainerStatus]:
    return [
        client.V1ContainerStatus(
            name="trial",
            image="image:1",
            image_id="",
            ready=False,
            restart_count=0,
            state=client.V1ContainerState(**state),
        )
    ]


def ended(exit_code: int, reason: str = "Error", message: str | None = None) -> client.V1Pod:
    state = client.V1ContainerStateTerminated(exit_code=exit_code, reason=reason, message=message)
    return pod_of("Failed" if exit_code else "Succeeded", container_statuses=in_state(terminated=state))


def waiting(reason: str, message: str | None = None) -> client.V1Pod:
    state = client.V1ContainerStateWaiting(reason=reason, message=message)
    return pod_of(container_statuses=in_state(waiting=state))


UNSCHEDULABLE = client.V1PodCondition(
    type="PodScheduled", status="False", reason="Unschedulable", message="0/3 nodes are available"
)


@pytest.mark.parametrize(
    ("pod", "cause", "is_final"),
    [
        (ended(137, "OOMKilled"), "OOMKilled: used more than its memory limit, 4Gi", True),
        (ended(1, message=f"…\n{write_line(ErrorMessage('epochs must be 1'))}\n"), "epochs must be 1", True),
        (ended(1, message="Traceback\nValueError: no such channel"), "ValueError: no such channel", True),
        (ended(3), "Error, exit code 3", True),
        (waiting("ImagePullBackOff", "not found"), "ImagePullBackOff: not found", False),
        (waiting("InvalidImageName"), "InvalidImageName: image:1", False),
        (pod_of(conditions=[UNSCHEDULABLE]), "Unschedulable: 0/3 nodes are available", False),
        (pod_of("Failed", reason="Evicted", message="low on memory"), "Evicted: low on memory", True),
    ],
)
def test_trouble_has_its_cause(pod: client.V1Pod, cause: str, is_final: bool):
    problem = problem_of(pod, Resources(memory="4Gi"))
    assert problem is not None
    assert (problem.cause, problem.is_final) == (cause, is_final)


@pytest.mark.parametrize("pod", [pod_of(), pod_of("Running"), waiting("ContainerCreating"), ended(0)])
def test_a_pod_that_does_well_has_none(pod: client.V1Pod):
    assert problem_of(pod, Resources()) is None
