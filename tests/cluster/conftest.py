"""What docs/cluster.md puts on the cluster: our images, Katib that knows our service, and MLflow."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from mlflow import MlflowClient

from cellwright.stores import open_store
from tests.cluster import scheduling

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "manifests" / "overlays" / "testcluster"
NAMESPACE, SYSTEM, BUCKET, KEY = "cellwright", "cellwright-system", "cellwright", "testcluster"
OURS = "app.kubernetes.io/part-of=cellwright"
PROGRAMS = Path(sys.executable).parent


def kubectl(*words: str, stdin: str | None = None) -> str:
    done = subprocess.run(["kubectl", *words], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout


def cellwright(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cellwright", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cluster_ip(service: str, namespace: str) -> str:
    return kubectl("get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Iterator[dict[str, str]]:
    """The environment that reaches the store from here, and its bucket."""
    environment = {
        "AWS_ENDPOINT_URL": f"http://{cluster_ip('s3', 'platform')}:9000",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
    }
    before = dict(os.environ)
    os.environ.update(environment)
    open_store(f"s3://{BUCKET}/tests").ensure()
    yield environment
    os.environ.clear()
    os.environ.update(before)


def installing() -> str:
    """Return the commands of docs/cluster.md that install everything, with the overlay of this cluster."""
    section = (
        (ROOT / "docs" / "cluster.md").read_text().partition("\n## Installing\n")[2].partition("\n## ")[0]
    )
    commands = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    return "\n".join(commands).replace("overlays/eks", f"overlays/{OVERLAY.name}")


@pytest.fixture(scope="session")
def namespace() -> Iterator[str]:
    """The namespace of trials, on a cluster where all is installed as the docs say."""
    kubectl("delete", "jobs", "-l", OURS, "-n", SYSTEM)  # those of other manifests of the same version
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", installing()], cwd=ROOT, env={**os.environ, "PATH": path}, check=True)
    kubectl("wait", "--for=condition=complete", "jobs", "-l", OURS, "-n", SYSTEM, "--timeout=180s")
    for controller in ("katib-controller", "workflow-controller"):
        kubectl("rollout", "status", f"deployment/{controller}", "-n", "kubeflow", "--timeout=120s")
    yield NAMESPACE
    for kind in ("experiments.kubeflow.org", "jobs"):
        kubectl("delete", kind, "--all", "-n", NAMESPACE, "--wait=false")


@pytest.fixture(scope="session")
def images(namespace: str) -> None:
    """Our images, which installing builds."""


def secret(name: str, namespace: str) -> dict[str, str]:
    data = json.loads(kubectl("get", "secret", name, "-n", namespace, "-o", "json"))["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@pytest.fixture(scope="session")
def mlflow_uri(namespace: str) -> Iterator[str]:
    """Where MLflow answers from here, to the user who may do everything."""
    kubectl("rollout", "status", "deployment/mlflow", "-n", SYSTEM, "--timeout=180s")
    login = {
        "MLFLOW_TRACKING_USERNAME": "promotion",
        "MLFLOW_TRACKING_PASSWORD": secret("mlflow-users", SYSTEM)["promotion"],
    }
    with mock.patch.dict(os.environ, login):
        yield f"http://{cluster_ip('mlflow', SYSTEM)}:5000"


@pytest.fixture(scope="session")
def identity(namespace: str, tmp_path_factory) -> Path:
    """A kubeconfig that is no more than the service account of a pipeline's steps, which search."""
    config = yaml.safe_load(kubectl("config", "view", "--raw", "--flatten", "--minify"))
    token = kubectl("create", "token", "cellwright-pipeline", "-n", "kubeflow", "--duration=2h").strip()
    config["users"][0]["user"] = {"token": token}
    config["contexts"][0]["context"]["namespace"] = namespace
    path = tmp_path_factory.mktemp("identity") / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="session")
def environment(store: dict[str, str], namespace: str, mlflow_uri: str) -> dict[str, str]:
    """The addresses and keys of a user who is no pod."""
    host = f"http://{cluster_ip('ml-pipeline', 'kubeflow')}:8888"
    return {**os.environ, "CELLWRIGHT_HOST": host, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def mlflow(mlflow_uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri=mlflow_uri, registry_uri=mlflow_uri)


def forget(mlflow: MlflowClient, name: str) -> None:
    """Delete what MLflow knows of a model, whose files were in the bucket."""
    if mlflow.search_registered_models(f"name = '{name}'"):
        mlflow.delete_registered_model(name)
    if experiment := mlflow.get_experiment_by_name(name):
        for run in mlflow.search_runs([experiment.experiment_id]):
            mlflow.delete_run(run.info.run_id)
        for logged in mlflow.search_logged_models([experiment.experiment_id]):
            mlflow.delete_logged_model(logged.model_id)


@pytest.fixture(scope="session")
def lifecycle(environment: dict[str, str], mlflow: MlflowClient) -> Callable[..., str]:
    """The command line with the login `promotion`, for a model of which nothing is known."""
    scheduling.empty_bucket()
    forget(mlflow, scheduling.NAME)
    here = environment | {"MLFLOW_TRACKING_URI": mlflow._tracking_client.tracking_uri}
    return lambda *words: cellwright(here, *words)


@pytest.fixture(scope="session")
def scheduled_runs(
    lifecycle: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Future[list[dict[str, Any]]]]":
    """What three runs of one schedule did, once they have ended."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(scheduling.three_runs, lifecycle, tmp_path_factory.mktemp("scheduled"))


@pytest.fixture(scope="session", autouse=True)
def begin_with_the_scheduled_runs(request: pytest.FixtureRequest) -> None:
    """Start them before all tests, if one asks for them, since they mostly wait: minutes, while other tests run."""
    if any("scheduled_runs" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("scheduled_runs")
