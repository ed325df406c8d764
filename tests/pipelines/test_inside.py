"""The pod by which doctor sees the cluster as steps do."""

from types import SimpleNamespace
from typing import Any

import pytest

from cellwright.spec import SearchSpec
from cellwright_pipelines import inside

SPEC: dict[str, Any] = {
    "name": "a",
    "data": {"source": "digits"},
    "store": {"uri": "s3://bucket/nas", "secret": "store"},
    "tracking": {"uri": "http://mlflow:5000", "secret": "login"},
    "pipeline": {"service_account": "steps", "image": "mine:1"},
}


def spec(**sections: Any) -> SearchSpec:
    return SearchSpec.model_validate({**SPEC, **sections})


def test_the_pod_is_what_a_step_is_and_may_do_no_more():
    job = inside.looking_job(spec())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert job["spec"]["template"]["metadata"]["labels"] == {"cellwright.dev/step": "doctor"}
    assert (pod["serviceAccountName"], container["image"]) == ("steps", "mine:1")
    assert pod["automountServiceAccountToken"] is False and pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    from_secrets = {
        e["name"]: e["valueFrom"]["secretKeyRef"]["name"] for e in container["env"] if "valueFrom" in e
    }
    assert from_secrets == {
        "MLFLOW_TRACKING_USERNAME": "login",
        "MLFLOW_TRACKING_PASSWORD": "login",
        "AWS_ACCESS_KEY_ID": "store",
        "AWS_SECRET_ACCESS_KEY": "store",
    }
    assert job["spec"]["ttlSecondsAfterFinished"] <= 60 and job["spec"]["backoffLimit"] == 0


def test_a_volume_is_mounted_where_the_store_is():
    job = inside.looking_job(spec(store={"uri": "/shared/nas", "claim": "disk"}, tracking={}, pipeline={}))
    pod = job["spec"]["template"]["spec"]
    assert {"name": "store", "mountPath": "/shared/nas"} in pod["containers"][0]["volumeMounts"]
    assert "serviceAccountName" not in pod


def test_what_cannot_be_asked_there_is_missing(monkeypatch: pytest.MonkeyPatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    looked = spec(tracking={"uri": "http://nonexistent.invalid:5000"}, store={"uri": "/x", "claim": "disk"})
    env = inside.looking_job(looked)["spec"]["template"]["spec"]["containers"][0]["env"]
    monkeypatch.setenv(env[0]["name"], env[0]["value"])
    inside.report()
    assert capsys.readouterr().out == (
        "MISSING tracking: http://nonexistent.invalid:5000 is not checked: its host is not known here\n"
    )


class Acted:
    """A cluster whose pod ends as the test says, and which notes what is deleted."""

    namespace = "kubeflow"

    def __init__(self, status: dict[str, Any], log: str) -> None:
        pod = SimpleNamespace(metadata=SimpleNamespace(name="pod"), status=SimpleNamespace(**status))
        pod.spec = SimpleNamespace(containers=[SimpleNamespace(image="mine:1")])
        job = SimpleNamespace(metadata=SimpleNamespace(name="job"))
        self.deleted: list[str] = []
        self.batch = SimpleNamespace(
            create_namespaced_job=lambda namespace, body: job,
            delete_namespaced_job=lambda name, namespace, propagation_policy: self.deleted.append(name),
        )
        self.core = SimpleNamespace(
            list_namespaced_pod=lambda namespace, label_selector: SimpleNamespace(items=[pod]),
            read_namespaced_pod_log=lambda name, namespace: log,
        )

    def has_secret(self, name: str) -> bool:
        return name not in self.missing

    missing: tuple[str, ...] = ()
    ask = staticmethod(lambda call, *args, **kwargs: call(*args, **kwargs))


WAITING = SimpleNamespace(
    state=SimpleNamespace(
        terminated=None, waiting=SimpleNamespace(reason="ErrImagePull", message="no mine:1")
    )
)


@pytest.mark.parametrize(
    ("status", "log", "problem"),
    [
        ({"phase": "Succeeded"}, "a warning\n", None),
        (
            {"phase": "Succeeded"},
            "MISSING store: no bucket\nMISSING mlflow: away\n",
            "store: no bucket; mlflow: away",
        ),
        ({"phase": "Failed"}, "Traceback\nBroken: x\n", "Traceback Broken: x"),
        ({"phase": "Failed"}, "", "its pod failed without a word"),
        (
            {"phase": "Pending", "container_statuses": [WAITING], "conditions": []},
            "",
            "ErrImagePull: no mine:1",
        ),
    ],
)
def test_the_output_of_the_pod_is_reported_and_its_job_is_deleted(
    monkeypatch: pytest.MonkeyPatch, status, log, problem
):
    monkeypatch.setattr(inside, "PENDING_SECONDS", 0.0)
    monkeypatch.setattr(inside, "POLL_SECONDS", 0.01)
    cluster = Acted(status, log)
    finding = inside.look_inside(cluster, spec())
    assert (finding.what, finding.problem) == ("the store and MLflow, from a pod in kubeflow", problem)
    assert cluster.deleted == ["job"]


def test_without_its_secrets_no_pod_is_started():
    cluster = Acted({"phase": "Succeeded"}, "")
    cluster.missing = ("login",)
    problem = inside.look_inside(cluster, spec()).problem
    assert problem is not None and problem.startswith("tracking.secret: the Secret kubeflow/login must exist")
    assert cluster.deleted == []
