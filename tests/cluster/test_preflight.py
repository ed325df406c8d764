"""Looking a cluster over, and what the identity of a search may do there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import kubectl
from tests.cluster.searching import SAMPLED, on
from tests.pages import ROOT, commands


def doctor(
    spec: dict[str, Any], folder: Path, identity: Path | None = None, *words: str
) -> "subprocess.CompletedProcess[str]":
    path = folder / "search.yaml"
    path.write_text(yaml.safe_dump(spec))
    environment = {**os.environ, **({"KUBECONFIG": str(identity)} if identity else {})}
    command = [sys.executable, "-m", "cellwright", "doctor", str(path), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def missing(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout[done.stdout.index("MISSING") :]


def test_nothing_is_missing_for_an_administrator_and_for_a_search(store, identity, tmp_path):
    spec = on("katib", SAMPLED, namespace="cellwright", profile={"gpus": 1})
    for who in (None, identity):
        done = doctor(spec, tmp_path, who)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "MISSING" not in done.stdout


def test_what_is_missing_is_named_with_a_remedy(store, namespace, tmp_path):
    runner = {"namespace": "default", "profile": {"service_account": "nobody", "gpus": 99}}
    spec = on("katib", {**SAMPLED, "strategy": {"kind": "beta-darts"}}, **runner)
    del spec["estimators"], spec["constraints"]
    found = missing(doctor({**spec, "store": {**spec["store"], "uri": "s3://no-such-bucket"}}, tmp_path))
    assert "Secret default/cellwright-store\n        is not there" in found
    assert "ServiceAccount default/nobody\n        is not there" in found
    assert "a node with 99 nvidia.com/gpu\n        the best of 1 such nodes has 4" in found
    assert "S3 says NoSuchBucket" in found


@pytest.mark.parametrize("host", ["mlflow", "nowhere"])
def test_a_pod_looks_as_a_step_does_and_is_gone(store, mlflow_uri, tmp_path, host):
    tracking = {"uri": f"http://{host}.cellwright-system:5000", "secret": "mlflow-login"}
    steps = {"tracking": tracking, "pipeline": {"service_account": "cellwright-pipeline"}}
    spec = {**on("jobs", SAMPLED, namespace="cellwright"), **steps}
    done = doctor(spec, tmp_path, None, "--inside", "kubeflow")
    what = "the store and MLflow, from a pod in kubeflow"
    if host == "mlflow":
        assert done.returncode == 0 and f"ok      {what}" in done.stdout, done.stdout + done.stderr
    else:
        assert f"{what}\n        tracking: http://nowhere.cellwright-system:5000 is not " in missing(done)
    assert kubectl("get", "jobs", "-n", "kubeflow", "-l", "cellwright.dev/step=doctor", "-o", "name") == ""


def test_what_the_policy_refuses_is_reported(store, identity, tmp_path):
    spec = on("jobs", SAMPLED, namespace="cellwright", profile={"service_account": "mlflow"})
    found = missing(doctor(spec, tmp_path, identity))
    assert "serviceAccountName must be one of default cellwright-trial, got mlflow" in found


def test_another_identity_lacks_the_permissions(store, identity, tmp_path):
    config = yaml.safe_load(identity.read_text())
    config["users"][0]["user"]["token"] = kubectl("create", "token", "default", "-n", "cellwright").strip()
    other = tmp_path / "kubeconfig"
    other.write_text(yaml.safe_dump(config))
    found = missing(doctor(on("katib", SAMPLED), tmp_path, other))
    assert "create, get, patch, delete is refused: bind the Role cellwright-search of manifests/base" in found


def may(account: str, verb: str, resource: str, namespace: str) -> bool:
    home, _, name = account.partition("/")
    asked = subprocess.run(
        ["kubectl", "auth", "can-i", verb, resource, "-n", namespace]
        + ["--as", f"system:serviceaccount:{home}:{name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.stdout.strip() in ("yes", "no"), asked.stderr
    return asked.stdout.strip() == "yes"


SEARCHING = [
    "create experiments.kubeflow.org",
    "list experiments.kubeflow.org",
    "delete experiments.kubeflow.org",
    "list trials.kubeflow.org",
    "create jobs.batch",
    "delete jobs.batch",
    "list pods",
]


def test_a_person_and_a_notebook_may_search_as_the_page_says(namespace):
    said = [
        line for line in commands(ROOT / "docs/cluster.md") if line.startswith("kubectl create rolebinding")
    ]
    assert len(said) == 2
    try:
        for line in said:
            subprocess.run(["bash", "-ec", line], check=True)
        for who in ("alice", "system:serviceaccount:team:default-editor"):
            for need in SEARCHING:
                assert kubectl("auth", "can-i", *need.split(), "-n", namespace, "--as", who).strip() == "yes"
    finally:
        kubectl("delete", "rolebinding", "alice", "notebooks", "-n", namespace, "--ignore-not-found")


@pytest.mark.parametrize(
    ("account", "where", "needs"),
    [
        ("kubeflow/cellwright-pipeline", "cellwright", SEARCHING),
        (
            "kubeflow/cellwright-pipeline",
            "kubeflow",
            [
                "create workflowtaskresults.argoproj.io",
                "get configmaps/kfp-launcher",
                "get secrets/mlpipeline-minio-artifact",
            ],
        ),
    ],
)
def test_each_may_what_it_must(account: str, where: str, needs: list[str], namespace):
    assert [need for need in needs if not may(account, *need.split(), where)] == []


@pytest.mark.parametrize("where", ["cellwright", "cellwright-system", "kubeflow"])
@pytest.mark.parametrize(
    "account",
    [
        "cellwright/default",
        "cellwright/cellwright-trial",
        "cellwright-system/mlflow",
        "kubeflow/cellwright-pipeline",
    ],
)
def test_nobody_may_more_than_it_must(account: str, where: str, namespace):
    harm = [
        "get secrets",
        "create pods",
        "create pods/exec",
        "patch deployments",
        "delete namespaces",
        "list nodes",
    ]
    assert [each for each in harm if may(account, *each.split(), where)] == []


def test_katib_takes_the_manifest(store, namespace, tmp_path):
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(on("katib", SAMPLED)))
    command = [sys.executable, "-m", "cellwright", "manifest", str(path)]
    experiment = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "created (server dry run)" in kubectl(
        "create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=experiment
    )
