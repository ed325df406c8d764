"""What `manifests/` are to a real API server, and whether the MLflow that they start keeps what it is given."""

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from mlflow import MlflowClient

from cellwright.runners.kubernetes.registration import algorithm_names
from tests.cluster.conftest import BUCKET, OURS, OVERLAY, SYSTEM, kubectl, secret

DATABASE = "postgresql://testcluster:testcluster@postgres.platform:5432"


def in_mlflow(code: str) -> str:
    """Run Python where MLflow runs, and return what it prints."""
    return kubectl("exec", "deployment/mlflow", "-n", SYSTEM, "-c", "mlflow", "--", "python", "-c", code)


def ask_database(query: str) -> list[Any]:
    code = f"""
import json, os, sqlalchemy
with sqlalchemy.create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"]).connect() as connection:
    print(json.dumps([list(row) for row in connection.execute(sqlalchemy.text({query!r}))]))
"""
    return json.loads(in_mlflow(code))


@pytest.mark.parametrize("name", ["testcluster", "gke", "eks"])
def test_kubernetes_takes_every_overlay(name: str, namespace):
    objects = kubectl("kustomize", str(OVERLAY.parent / name))
    command = [
        "kubectl",
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=test",
        "--validate=strict",
    ]
    done = subprocess.run(
        [*command, "--dry-run=server", "-f", "-"], input=objects, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == objects.count("\nkind: ")
    assert done.stderr == ""  # Pod Security says there what it would refuse


def test_katib_knows_the_algorithms(namespace):
    known = kubectl("get", "configmap", "katib-config", "-n", "kubeflow", "-o", "yaml")
    assert [name for name in algorithm_names() if f"algorithmName: {name}\n" not in known] == []


def test_the_job_alone_migrated_and_once(mlflow_uri: str):
    jobs = json.loads(kubectl("get", "jobs", "-n", SYSTEM, "-l", OURS, "-o", "json"))["items"]
    [job] = [job for job in jobs if job["metadata"]["name"].startswith("mlflow-migrate-")]
    assert job["status"]["succeeded"] == 1 and "failed" not in job["status"]
    revision = kubectl("logs", f"job/{job['metadata']['name']}", "-n", SYSTEM).split()[-1]
    assert ask_database("SELECT version_num FROM alembic_version") == [[revision]]
    assert "mlflow.store.db.utils" not in kubectl("logs", "deployment/mlflow", "-n", SYSTEM, "-c", "mlflow")


def test_a_database_is_migrated_by_one_at_a_time(mlflow_uri: str):
    """Two on an empty database, and then one on the oldest schema of MLflow, of which no revision is written down."""
    code = f"""
import os, subprocess, sys, sqlalchemy
from mlflow.store.tracking.dbmodels.initial_models import Base
server = sqlalchemy.create_engine("{DATABASE}/postgres", isolation_level="AUTOCOMMIT").connect()
def begin():
    command = [sys.executable, "/opt/mlflow/schema.py", "migrate"]
    environment = {{**os.environ, "MLFLOW_BACKEND_STORE_URI": "{DATABASE}/migrated"}}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
def create():
    server.execute(sqlalchemy.text("DROP DATABASE IF EXISTS migrated WITH (FORCE)"))
    server.execute(sqlalchemy.text("CREATE DATABASE migrated"))
def ends(*processes):
    return [(process.communicate()[0].decode().split()[-1], process.returncode) for process in processes]
create()
print(*ends(begin(), begin()))
create()
engine = sqlalchemy.create_engine("{DATABASE}/migrated")
Base.metadata.create_all(engine)
engine.dispose()
print(*ends(begin()))
server.execute(sqlalchemy.text("DROP DATABASE migrated WITH (FORCE)"))
"""
    [[revision]] = ask_database("SELECT version_num FROM alembic_version")
    assert in_mlflow(code).splitlines() == [f"('{revision}', 0) ('{revision}', 0)", f"('{revision}', 0)"]


def test_runs_are_kept_in_postgresql_and_artifacts_in_s3(
    store, mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for what in (
        "UPLOAD",
        "DOWNLOAD",
    ):  # else MLflow's client goes to the bucket itself, at an address of pods
        monkeypatch.setenv(f"MLFLOW_ENABLE_PROXY_MULTIPART_{what}", "false")
    client = MlflowClient(mlflow_uri)
    path = tmp_path / "greeting.txt"
    path.write_text("hello")
    run = client.create_run("0", run_name="test")
    run_id = run.info.run_id
    client.log_metric(run_id, "accuracy", 0.5)
    client.log_artifact(run_id, str(path))
    assert ask_database(f"SELECT key, value FROM metrics WHERE run_uuid = '{run_id}'") == [["accuracy", 0.5]]
    kept = boto3.client("s3").get_object(Bucket=BUCKET, Key=f"mlflow/0/{run_id}/artifacts/greeting.txt")
    assert kept["Body"].read() == b"hello"
    assert (
        Path(client.download_artifacts(run_id, "greeting.txt", str(tmp_path / "back"))).read_text() == "hello"
    )
    client.delete_run(run_id)


def test_a_login_is_needed_and_that_of_steps_makes_no_champion(mlflow_uri: str):
    login = secret("mlflow-login", "kubeflow")
    steps = (login["MLFLOW_TRACKING_USERNAME"], login["MLFLOW_TRACKING_PASSWORD"])
    assert steps == ("steps", secret("mlflow-users", SYSTEM)["steps"])
    experiments = f"{mlflow_uri}/api/2.0/mlflow/experiments/search?max_results=1"
    alias = f"{mlflow_uri}/api/2.0/mlflow/registered-models/alias"
    champion = {"name": "digits-katib", "alias": "champion", "version": "1"}
    assert [requests.get(experiments, auth=auth).status_code for auth in (None, steps)] == [401, 200]
    assert [requests.post(alias, json=champion, auth=auth).status_code for auth in (None, steps)] == [
        401,
        403,
    ]


def test_a_second_apply_changes_nothing(mlflow_uri: str):
    before = installed()
    assert len(before) > 20
    kubectl("apply", "-k", str(OVERLAY))
    assert installed() == before
    kubectl("rollout", "status", "deployment/mlflow", "-n", SYSTEM, "--timeout=10s")


def installed() -> dict[tuple[str, str], tuple[str, str]]:
    """Return which generation of each object there is; a quota's status changes by itself."""
    items = json.loads(kubectl("get", "-k", str(OVERLAY), "-o", "json"))["items"]
    return {
        (item["kind"], f"{meta.get('namespace')}/{meta['name']}"): (
            meta["uid"],
            str(meta.get("generation", meta["resourceVersion"])),
        )
        for item in items
        if item["kind"] != "ResourceQuota"
        for meta in [item["metadata"]]
    }
