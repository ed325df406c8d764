"""A model that is retrained on a schedule, promoted, served, rolled back and reproduced, on a real Kubeflow."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient
from sklearn.datasets import load_digits

from cellwright.container_images import CELLWRIGHT
from cellwright.tracking import ChampionMoved, Lifecycle
from cellwright.tracking.models import assign_alias
from tests.cluster.conftest import ROOT, SYSTEM, cluster_ip, kubectl, secret
from tests.cluster.scheduling import NAME, RUNS, put_data
from tests.servers import wait_for_health
from tests.serving.asking import Client

SERVING = "cellwright-serving"


def test_of_promotions_at_once_on_postgresql_one_wins(mlflow: MlflowClient, mlflow_uri: str):
    name, rounds, rivals = "promoted-at-once", 3, 4
    if mlflow.search_registered_models(f"name = '{name}'"):
        mlflow.delete_registered_model(name)
    mlflow.create_registered_model(name)
    run = mlflow.create_run("0").info
    for _ in range(1 + rounds * rivals):
        mlflow.create_model_version(name, run.artifact_uri, run_id=run.run_id)
    assign_alias(mlflow, name, 1)
    champion = 1
    for number in range(rounds):
        versions = range(2 + number * rivals, 2 + (number + 1) * rivals)

        def attempt(version: int, expected: int = champion) -> bool:
            try:
                Lifecycle(uri=mlflow_uri, name=name).promote(
                    version, expected=expected, who="ann", why="", evidence=None, owner=str(version)
                )
            except ChampionMoved:
                return False
            return True

        with ThreadPoolExecutor(rivals) as pool:
            won = dict(zip(versions, pool.map(attempt, versions), strict=True))
        [winner] = [version for version, has_won in won.items() if has_won]
        model = Lifecycle(uri=mlflow_uri, name=name)
        assert model.champion().version == winner
        assert (model.moves()[-1].from_version, model.moves()[-1].to_version) == (champion, winner)
        assert len(model.moves()) == number + 2
        champion = winner
    mlflow.delete_registered_model(name)
    mlflow.delete_run(run.run_id)


@pytest.fixture(scope="module")
def decisions(scheduled_runs: "Future[list[dict[str, Any]]]") -> list[dict[str, Any]]:
    """What three runs of one schedule did."""
    return scheduled_runs.result()


def test_three_scheduled_runs_take_the_branches_that_the_policy_says(decisions: list[dict[str, Any]]):
    for (_, sentence), decision in zip(RUNS, decisions, strict=True):
        assert f"decide: {sentence}" in decision["log"]
    done = [
        {name for name, step in each["steps"].items() if step["state"] == "SUCCEEDED"} for each in decisions
    ]
    steps = {"prepare", "decide", "search", "retrain", "baselines", "evaluate", "register"}
    assert [each & steps for each in done] == [steps, steps, {"prepare", "decide"}]


def test_the_registry_tells_the_story(decisions: list[dict[str, Any]], mlflow: MlflowClient):
    one, two = (mlflow.get_model_version(NAME, version) for version in "12")
    assert [version.tags["cellwright.action"] for version in (one, two)] == ["search", "retrain"]
    for (_, sentence), version in zip(RUNS, (one, two), strict=False):
        assert version.tags["cellwright.policy"].startswith(sentence)
        assert json.loads(version.tags["cellwright.gate"])["passed"]
    assert len(mlflow.search_model_versions(f"name = '{NAME}'")) == 2


@pytest.fixture(scope="module")
def server(decisions: list[dict[str, Any]]) -> Iterator[str]:
    """The address of manifests/serving, with two servers of our model that look each second who the champion is."""
    objects = list(yaml.safe_load_all(kubectl("kustomize", str(ROOT / "manifests" / "serving"))))
    [deployment] = (each for each in objects if each["kind"] == "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["args"] = [f"models:/{NAME}@champion", "--threads", "1", "--every", "1"]
    container["resources"]["requests"]["cpu"] = "100m"
    container["env"] = [{"name": "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "value": "false"}]
    login = {
        "MLFLOW_TRACKING_USERNAME": "viewer",
        "MLFLOW_TRACKING_PASSWORD": secret("mlflow-users", SYSTEM)["viewer"],
    }
    metadata = {"name": "mlflow-login", "namespace": SERVING}
    objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": login})
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
    kubectl("rollout", "status", "deployment/serving", "-n", SERVING, "--timeout=180s")
    address = f"http://{cluster_ip('serving', SERVING)}"
    wait_for_health(address)  # the service learns of its pods a moment after the rollout is complete
    yield address
    kubectl("delete", "namespace", SERVING, "--wait=false")


@pytest.fixture(scope="module")
def reproduction(
    decisions: list[dict[str, Any]], environment, mlflow_uri: str
) -> Iterator[subprocess.Popen[str]]:
    """`cellwright reproduce` in a fresh container, under way while a client asks the server."""
    put_data(RUNS[1][0])  # as it was then
    names = {
        "s3.platform": cluster_ip("s3", "platform"),
        "mlflow.cellwright-system": cluster_ip("mlflow", SYSTEM),
    }
    passed = (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
    )
    command = ["docker", "run", "--rm", "--network=host"]
    command += [f"--add-host={name}:{address}" for name, address in names.items()]
    command += [word for name in passed for word in ("--env", name)]
    command += ["--env=MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false", "--workdir=/tmp", CELLWRIGHT]
    command += ["reproduce", f"models:/{NAME}/2", "--tracking-uri", "http://mlflow.cellwright-system:5000"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process
    process.kill()
    process.wait()


def test_a_client_sees_no_error_through_a_promotion_and_a_rollback(
    server: str,
    reproduction: subprocess.Popen[str],
    lifecycle: Callable[..., str],
    mlflow: MlflowClient,
):
    body = json.dumps({"instances": (load_digits().images[:1, None] * 15).astype(int).tolist()}).encode()
    client = Client(f"{server}/v1/models/{NAME}:predict", body)
    client.thread.start()
    try:
        client.wait_for(f"{NAME}/2", times=50)
        lifecycle("rollback", NAME, "--why", "complaints")
        client.wait_for(f"{NAME}/1", times=50)
        lifecycle("promote", NAME, "2", "--why", "mended", "--force")
        client.wait_for(f"{NAME}/2", times=50)
    finally:
        client.stopped.set()
        client.thread.join()
    assert client.errors == [] and len(client.answers) > 300
    assert {version for version, _ in client.answers} == {f"{NAME}/1", f"{NAME}/2"}
    moves = json.loads(lifecycle("history", NAME, "--json"))
    told = [
        (move["kind"], move["from_version"], move["to_version"], move["who"], move["why"]) for move in moves
    ]
    assert told == [
        ("promotion", None, 1, "promotion", "run 1"),
        ("promotion", 1, 2, "promotion", "run 2"),
        ("rollback", 2, 1, "promotion", "complaints"),
        ("promotion", 1, 2, "promotion", "mended"),
    ]
    assert mlflow.get_model_version_by_alias(NAME, "champion").version == "2"
    pods = json.loads(kubectl("get", "pods", "-n", SERVING, "-o", "json"))["items"]
    statuses = [status for pod in pods for status in pod["status"]["containerStatuses"]]
    assert statuses and all(status["restartCount"] == 0 for status in statuses)


def test_a_version_is_reproduced_in_a_fresh_container(reproduction: subprocess.Popen[str]):
    said, _ = reproduction.communicate()
    assert reproduction.returncode == 0, said
    assert f"{NAME}/2: all 8 results are the same to the last digit" in said
