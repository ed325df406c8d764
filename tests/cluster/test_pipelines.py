"""Pipelines on a real Kubeflow, from `cellwright submit` to a model that another pod loads, whatever is killed."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
import requests
import yaml
from mlflow import MlflowClient

from cellwright import __version__
from cellwright.pod_labels import STEP
from tests.cluster.conftest import BUCKET, PROGRAMS, ROOT, SYSTEM, cellwright, forget, kubectl
from tests.cluster.proxy import Proxy

EXAMPLE = ROOT / "examples" / "digits-katib.yaml"
RUN = "cellwright.dev/run"


def submitting() -> list[str]:
    """Return the command of the README that submits a spec, for the example."""
    (line,) = (line for line in (ROOT / "README.md").read_text().splitlines() if "cellwright submit" in line)
    program, *words = shlex.split(line, comments=True)
    return [str(PROGRAMS / program), *(str(EXAMPLE) if word == "search.yaml" else word for word in words)]


class Submission:
    """A `cellwright submit` under way."""

    def __init__(self, environment: dict[str, str], folder: Path, *overrides: str) -> None:
        self.environment = environment
        command = submitting()
        for override in overrides:
            command += ["--set", override]
        self.log = folder / f"{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        self.until(lambda: re.search(r"^run (\S+)", self.text(), re.MULTILINE), "submitted")
        self.run_id = re.search(r"^run (\S+)", self.text(), re.MULTILINE)[1]

    def text(self) -> str:
        return self.log.read_text()

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 400) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert self.process.poll() is None, f"ended before it was {what}: {self.text()}"
            assert time.monotonic() < deadline, f"not {what} within {seconds} s: {self.text()}"
            time.sleep(1)
        return found

    def until_said(self, line: str) -> None:
        self.until(lambda: line in self.text(), line)

    def pods(self, step: str) -> list[dict[str, Any]]:
        selector = f"pipeline/runid={self.run_id},cellwright.dev/step={step}"
        return items("pods", "kubeflow", selector)

    def succeed(self, seconds: float = 600) -> None:
        assert self.process.wait(seconds) == 0, self.text()

    def fail(self, seconds: float = 300) -> str:
        assert self.process.wait(seconds) == 1, self.text()
        return self.text()

    def say(self, *words: str) -> str:
        return cellwright(self.environment, *words)


def items(kind: str, namespace: str, selector: str) -> list[dict[str, Any]]:
    return json.loads(kubectl("get", kind, "-n", namespace, "-l", selector, "-o", "json"))["items"]


@pytest.fixture(scope="module")
def undisturbed(store: dict[str, str], mlflow: MlflowClient, tmp_path_factory) -> Submission:
    """The example, as the first thing that is ever submitted, by a user who has a kubeconfig and no more."""
    delete_bucket()
    for name in ("digits-katib", "disturbed"):
        forget(mlflow, name)
    ours = ("AWS_", "CELLWRIGHT_", "MLFLOW_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    submission = Submission(environment, tmp_path_factory.mktemp("undisturbed"))
    submission.succeed()
    return submission


def delete_bucket() -> None:
    client = boto3.client("s3", region_name="us-east-1")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="module")
def mistaken(undisturbed: Submission, environment, tmp_path_factory) -> Submission:
    """What cannot succeed, under way while others are."""
    return Submission(
        environment,
        tmp_path_factory.mktemp("mistaken"),
        "name=mistaken",
        "data={source: npz, path: s3://no-such-bucket/digits.npz, endpoint: http://s3.platform:9000}",
        "pipeline.retries=0",
    )


class Schedule(NamedTuple):
    """What `schedule` and `schedules` say, and which runs were started, each of which is stopped."""

    said: list[str]
    shown: str
    started: "Future[list[str]]"


@pytest.fixture(scope="module")
def schedule(undisturbed: Submission, environment) -> Iterator[Schedule]:
    """The example, scheduled three times for each minute, until it was started twice; under way while others are."""
    known = runs_of_the_example(environment)
    words = ("schedule", str(EXAMPLE), "--cron", "* * * * *", "--timezone", "Europe/Berlin")
    with ThreadPoolExecutor(1) as pool:
        said = [cellwright(environment, *words) for _ in range(3)]
        try:
            shown = cellwright(environment, "schedules")
            started = pool.submit(stop_two, environment, known)
            yield Schedule(said, shown, started)
            started.exception()
        finally:
            if "digits-katib" in cellwright(environment, "schedules"):
                cellwright(environment, "unschedule", "digits-katib")


def runs_of_the_example(environment: dict[str, str]) -> list[str]:
    """Return their ids; asks without our command line, which takes seconds of CPU."""
    url = f"{environment['CELLWRIGHT_HOST']}/apis/v2beta1/runs"
    latest = requests.get(url, {"sort_by": "created_at desc", "page_size": 50}, timeout=60).json()
    return [run["run_id"] for run in latest.get("runs", ()) if "digits-katib" in run["display_name"]]


def stop_two(environment: dict[str, str], known: list[str]) -> list[str]:
    """Stop the next two runs, each within two minutes, and the schedule; return the runs."""
    started: list[str] = []
    while len(started) < 2:
        deadline = time.monotonic() + 120
        while not (new := set(runs_of_the_example(environment)) - {*known, *started}):
            assert time.monotonic() < deadline, "it has not fired"
            time.sleep(2)
        started += new
        for run_id in new:
            cellwright(environment, "stop", run_id)  # the next one waits until this has ended
    cellwright(environment, "unschedule", str(EXAMPLE))
    return started


@pytest.fixture(scope="module")
def disturbed(undisturbed, mistaken, schedule, environment, tmp_path_factory) -> Iterator[list[Submission]]:
    """The same, submitted twice at once, while the search's pod is deleted, S3 refuses and MLflow is away."""
    node = json.loads(kubectl("get", "nodes", "-o", "json"))["items"][0]["status"]["addresses"][0]["address"]
    folder = tmp_path_factory.mktemp("disturbed")
    with Proxy(environment["AWS_ENDPOINT_URL"], node) as s3:
        name = "disturbed"
        overrides = (f"name={name}", f"store.uri=s3://{BUCKET}/{name}", f"store.endpoint={s3.url}")
        both = [Submission(environment, folder, *overrides) for _ in range(2)]
        first = both[0]
        trials = lambda: items("trials", "cellwright", "")  # noqa: E731
        ours = lambda: [trial for trial in trials() if trial["metadata"]["name"].startswith(name)]  # noqa: E731
        first.until(ours, "at its first trial")
        s3.refuse(30)
        holder = next(
            submission
            for submission in both
            if items("experiments", "cellwright", f"{RUN}={submission.run_id}")
        )
        (pod,) = holder.pods("search")
        kubectl("delete", "pod", pod["metadata"]["name"], "-n", "kubeflow", "--wait=false")
        first.until_said("search: succeeded")
        kubectl("scale", "deployment/mlflow", "-n", SYSTEM, "--replicas=0")
        first.until_said("register: running")
        time.sleep(30)
        kubectl("scale", "deployment/mlflow", "-n", SYSTEM, "--replicas=1")
        for submission in both:
            submission.succeed()
        yield both


def results(name: str, step: str, file: str) -> Any:
    """Return a step's JSON from the store."""
    client = boto3.client("s3", region_name="us-east-1")
    found = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/steps/{step}-")
    (key,) = (item["Key"] for item in found["Contents"] if item["Key"].endswith(f"/{file}"))
    return json.loads(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def mlflow_runs(mlflow: MlflowClient, name: str) -> tuple[Any, list[Any]]:
    """Return the MLflow run of a pipeline's, and those nested in it."""
    parent = mlflow.get_run(results(name, "register", "registered.json")["mlflow_run_id"])
    nested = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return parent, list(mlflow.search_runs([parent.info.experiment_id], nested))


def test_what_the_docs_say_ends_in_a_registered_model_on_an_empty_cluster(undisturbed, mlflow):
    registered = results("digits-katib", "register", "registered.json")
    ending = undisturbed.text().partition("\nevaluate: found: ")[2]
    assert f"\nregister: the model is {registered['uri']}, version 1, at http://mlflow." in ending
    assert ending.splitlines()[-1].startswith("succeeded: digits-katib")


def test_the_example_is_in_the_registry_with_its_artifacts_in_s3(undisturbed, mlflow):
    registered = results("digits-katib", "register", "registered.json")
    version = mlflow.get_model_version_by_alias("digits-katib", registered["alias"])
    parent, trials = mlflow_runs(mlflow, "digits-katib")
    assert version.run_id == parent.info.run_id and parent.info.status == "FINISHED"
    assert len([run for run in trials if run.info.status == "FINISHED"]) >= 6
    model = version.source.rpartition("/models/")[2]
    client = boto3.client("s3", region_name="us-east-1")
    buckets = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    keys = [
        item["Key"]
        for bucket in buckets
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for item in page.get("Contents", ())
    ]
    assert any(key.endswith(f"{model}/MLmodel") for key in keys)
    for step in ("prepare", "search", "retrain", "baselines", "evaluate", "register"):
        assert f"{step}: succeeded" in undisturbed.text()
    assert "finish: " in undisturbed.text()  # Kubeflow may call it running still when the run has succeeded


def test_another_pod_loads_the_model_by_its_alias(undisturbed):
    """A pod to whom MLflow's policies are open, and which has a login."""
    uri = results("digits-katib", "register", "registered.json")["uri"]
    assert uri.startswith("models:/digits-katib@")
    code = (
        "import mlflow, torch; "
        f"model = mlflow.pyfunc.load_model('{uri}'); "
        "import numpy; print('outputs', model.predict(numpy.zeros((3, 1, 8, 8), 'uint8')).shape)"
    )
    container = {
        "name": "main",
        "image": f"ghcr.io/cellwright/cellwright:{__version__}",
        "command": ["python", "-c", code],
        "env": [
            {"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow.cellwright-system:5000"},
            {"name": "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "value": "false"},
            {"name": "HOME", "value": "/tmp"},
        ],
        "envFrom": [{"secretRef": {"name": "mlflow-login"}}],
        "resources": {"limits": {"cpu": "1", "memory": "2Gi"}, "requests": {"cpu": "200m"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loads-the-model", "labels": {STEP: "loads"}},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }
    kubectl("delete", "pod", "loads-the-model", "-n", "kubeflow", "--ignore-not-found")
    kubectl("create", "-n", "kubeflow", "-f", "-", stdin=json.dumps(pod))
    ended = "jsonpath={.status.phase}=Succeeded"
    kubectl("wait", "pod/loads-the-model", "-n", "kubeflow", f"--for={ended}", "--timeout=120s")
    # The predicted class, and the probability of each
    assert "outputs (3, 11)" in kubectl("logs", "loads-the-model", "-n", "kubeflow")


def test_runs_can_be_looked_at(undisturbed, environment):
    assert undisturbed.run_id in cellwright(environment, "runs")
    newest = json.loads(cellwright(environment, "runs", "--json"))
    state = json.loads(cellwright(environment, "status", undisturbed.run_id, "--json"))
    assert next(run for run in newest if run["run_id"] == undisturbed.run_id)["state"] == state["state"]
    assert state["steps"]["search"]["state"] == "SUCCEEDED"
    shown = cellwright(environment, "status", undisturbed.run_id)
    assert shown.startswith("SUCCEEDED") and "register" in shown
    assert 'message="pipeline: complete"' in cellwright(environment, "logs", undisturbed.run_id, "finish")


def test_a_search_whose_pod_is_deleted_ends_in_the_same_place(undisturbed, disturbed):
    for step, file in (("search", "genotype.json"), ("retrain", "training.json")):
        clean, other = (results(name, step, file) for name in ("digits-katib", "disturbed"))
        clean.pop("seconds", None), other.pop("seconds", None)
        assert clean == other


def test_no_trial_runs_twice(disturbed):
    experiments = [
        experiment
        for submission in disturbed
        for experiment in items("experiments", "cellwright", f"{RUN}={submission.run_id}")
    ]
    assert len(experiments) == 1
    name = experiments[0]["metadata"]["name"]
    assert len(items("trials", "cellwright", f"katib.kubeflow.org/experiment={name}")) == 6


def test_what_is_submitted_twice_at_once_is_done_once(disturbed, mlflow):
    run_id = results("disturbed", "register", "registered.json")["mlflow_run_id"]
    versions = mlflow.search_model_versions("name='disturbed'")
    assert len([version for version in versions if version.run_id == run_id]) == 1


def test_nothing_is_lost_while_mlflow_is_away(disturbed, mlflow):
    parent, trials = mlflow_runs(mlflow, "disturbed")
    assert parent.info.status == "FINISHED"
    clean, clean_trials = mlflow_runs(mlflow, "digits-katib")
    assert parent.data.metrics["found/test_accuracy"] == clean.data.metrics["found/test_accuracy"]
    names = [sorted(run.info.run_name for run in runs) for runs in (trials, clean_trials)]
    assert names[0] == names[1] == sorted(set(names[0]))


def test_a_stopped_run_leaves_nothing_and_its_pods_carry_the_profile(environment, tmp_path):
    profile = {
        "cpu": 1,
        "cpu_request": "200m",
        "memory": "2Gi",
        "gpus": 1,
        "node_selector": {"kubernetes.io/hostname": "node1"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "preference": {
                            "matchExpressions": [{"key": "pool", "operator": "In", "values": ["gpu"]}]
                        },
                    }
                ]
            }
        },
        "spot": True,
    }
    (tmp_path / "profiles.yaml").write_text(yaml.safe_dump({"gpu-here": profile}))
    submission = Submission(
        environment,
        tmp_path,
        "name=stopped",
        f"store.uri=s3://{BUCKET}/stopped",
        f"profiles={tmp_path / 'profiles.yaml'}",
        "resources={profile: gpu-here}",
        "runner.resources={profile: gpu-here, memory: 1Gi, service_account: cellwright-trial}",
        "budget.evaluations=40",
    )
    mine = f"{RUN}={submission.run_id}"
    (trial, *_) = submission.until(
        lambda: items("pods", "cellwright", f"{mine},cellwright.dev/trial"), "tried"
    )
    (search,) = submission.pods("search")
    for pod in (search, trial):
        spec = pod["spec"]
        main = next(c for c in spec["containers"] if c["name"] in ("main", "trial"))
        assert main["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert (main["resources"]["limits"]["cpu"], main["resources"]["requests"]["cpu"]) == ("1", "200m")
        assert spec["nodeSelector"]["kubernetes.io/hostname"] == "node1"
        assert "nvidia.com/gpu" in [toleration.get("key") for toleration in spec["tolerations"]]
        assert spec["affinity"] == profile["affinity"]
    assert trial["spec"]["serviceAccountName"] == "cellwright-trial"
    assert "stopped" in cellwright(environment, "stop", submission.run_id)
    assert submission.fail().endswith(f"run {submission.run_id} was stopped\n")
    for kind in ("experiments", "jobs"):
        assert items(kind, "cellwright", mine) == []
    deadline = time.monotonic() + 60
    while any(pod for pod in items("pods", "cellwright", mine)) and time.monotonic() < deadline:
        time.sleep(1)
    assert items("pods", "cellwright", mine) == []
    running = items("pods", "kubeflow", f"pipeline/runid={submission.run_id}")
    assert {pod["status"]["phase"] for pod in running} <= {"Succeeded", "Failed"}


def test_an_error_is_reported_with_its_cause(mistaken):
    assert "prepare: s3://no-such-bucket/digits.npz: S3 says NoSuchBucket" in mistaken.fail()


def test_a_schedule_fires_twice_and_is_there_once(schedule, environment):
    words = [
        {line.split(":")[0] for line in text.splitlines()} & {"scheduled", "unchanged"}
        for text in schedule.said
    ]
    assert words == [{"scheduled"}, {"unchanged"}, {"unchanged"}]
    assert schedule.shown.count("digits-katib") == 1
    assert "* * * * * (Europe/Berlin): 0 * * * * * in UTC" in schedule.shown
    assert len(schedule.started.result()) == 2
    assert "digits-katib" not in cellwright(environment, "schedules")
