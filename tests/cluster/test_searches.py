"""Searches whose trials are pods: the same as on one machine, whatever is killed meanwhile."""

import json
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import kubectl
from tests.cluster.searching import ONE_SHOT, SAMPLED, TABULAR, Search, evaluations, found, on


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, store) -> Path:
    """The folder of the sampled search, done on this machine."""
    return Search(SAMPLED, tmp_path_factory.mktemp("local")).finish()


def objects(kind: str, selector: str = "") -> list[dict[str, Any]]:
    words = ["get", kind, "-n", "cellwright", "-o", "json", *(["-l", selector] if selector else [])]
    return json.loads(kubectl(*words))["items"]


def experiment_of(search: Search) -> str:
    """Return the name of the search's Experiment once it has one."""
    created = re.compile(r"Katib Experiment cellwright/([a-z0-9-]+)\n")
    search.until(lambda: created.search(search.text()))
    return created.search(search.text())[1]


@pytest.fixture(scope="module")
def side_by_side(store, identity, tmp_path_factory) -> dict[str, Search]:
    """Searches that are under way at the same time, as most of it is waiting."""
    sampled = {kind: on(kind, SAMPLED) for kind in ("jobs", "katib")}
    specs = {**sampled, "one-shot": on("katib", ONE_SHOT)}
    return {name: Search(spec, tmp_path_factory.mktemp(name), identity) for name, spec in specs.items()}


@pytest.mark.parametrize("kind", ["jobs", "katib"])
def test_every_runner_gives_the_same(kind: str, undisturbed, side_by_side):
    folder = side_by_side[kind].finish()
    assert evaluations(folder) == evaluations(undisturbed)
    assert found(folder) == found(undisturbed)


def test_a_search_survives_any_killed_process(undisturbed, store, identity, tmp_path):
    search = Search(on("katib", SAMPLED), tmp_path, identity)
    name = experiment_of(search)
    trials = f"cellwright.dev/search={name}"

    search.until(lambda: any(pod["status"]["phase"] == "Running" for pod in objects("pods", trials)))
    running = [pod for pod in objects("pods", trials) if pod["status"]["phase"] == "Running"]
    kubectl("delete", "pod", running[0]["metadata"]["name"], "-n", "cellwright", "--wait=false")

    search.until(lambda: search.text().count(": done, accuracy ") >= 2)
    search.kill()
    kubectl(
        "delete",
        "pod",
        "-n",
        "cellwright",
        "-l",
        f"katib.kubeflow.org/experiment={name}",
        "--wait=false",
        "--field-selector=status.phase=Running",
    )
    kubectl("scale", "deployment/katib-controller", "-n", "kubeflow", "--replicas=0")
    search.begin()
    time.sleep(20)
    kubectl("scale", "deployment/katib-controller", "-n", "kubeflow", "--replicas=1")

    folder = search.finish()
    assert "found the Katib Experiment" in search.text()
    assert evaluations(folder) == evaluations(undisturbed)
    assert len(objects("trials", f"katib.kubeflow.org/experiment={name}")) == len(
        [key for key in evaluations(undisturbed) if key[1] == 0]
    )


def test_a_one_shot_search_is_one_trial(side_by_side, tmp_path):
    here = Search(ONE_SHOT, tmp_path / "local").finish()
    there = side_by_side["one-shot"]
    name = experiment_of(there)
    assert found(there.finish()) == found(here)
    (trial,) = objects("trials", f"katib.kubeflow.org/experiment={name}")
    metrics = {metric["name"]: metric["latest"] for metric in trial["status"]["observation"]["metrics"]}
    assert float(metrics["accuracy"]) == found(here)["score"]


def test_thirty_short_trials_lose_no_metrics(store, identity, tmp_path):
    search = Search(on("katib", TABULAR), tmp_path, identity)
    name = experiment_of(search)
    folder = search.finish(600)
    assert found(folder) == found(Search(TABULAR, tmp_path / "local").finish())
    trials = objects("trials", f"katib.kubeflow.org/experiment={name}")
    assert len(trials) == 30
    for trial in trials:
        metrics = {metric["name"]: metric["latest"] for metric in trial["status"]["observation"]["metrics"]}
        assert 0 < float(metrics["accuracy"]) < 1
        assert metrics["state"] == "done"


REPORT = (
    "import sys; from cellwright.katib.reporting import report; report(sys.argv[1], [('accuracy', '0.5')])"
)


def test_a_trial_that_ends_at_once_loses_no_metrics(store, namespace, tmp_path):
    """What a trial does last, and nothing else: none can be shorter."""
    path = tmp_path / "instant.yaml"
    one = {**TABULAR, "name": "instant", "budget": {"evaluations": 1, "finalists": 1, "fresh_seeds": 1}}
    path.write_text(yaml.safe_dump(on("katib", one)))
    command = [sys.executable, "-m", "cellwright", "manifest", str(path)]
    experiment = yaml.safe_load(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    name, spec = experiment["metadata"]["name"], experiment["spec"]
    container = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["python", "-c", REPORT, "${trialParameters.trial}", *container["command"][-3::2]]
    kubectl("create", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(experiment))
    try:
        kubectl("wait", "experiment", name, "-n", namespace, "--for=condition=Succeeded", "--timeout=60s")
        (trial,) = objects("trials", f"katib.kubeflow.org/experiment={name}")
        (pod,) = objects("pods", f"cellwright.dev/search={name}")
    finally:
        kubectl("delete", "experiment", name, "-n", namespace)
    latest = {metric["name"]: metric["latest"] for metric in trial["status"]["observation"]["metrics"]}
    assert latest["accuracy"] == "0.5"
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    start, end = (datetime.fromisoformat(ended[time]) for time in ("startedAt", "finishedAt"))
    assert (end - start).total_seconds() <= 1


FAILING = {
    "no image": ({}, {"image": "ghcr.io/cellwright/no-such-image:0"}, "image"),
    "no node": ({"node_selector": {"no-such": "node"}}, {}, "Unschedulable: 0/1 nodes are available"),
    "no memory": ({"memory": "90Mi"}, {}, "OOMKilled: used more than its memory limit, 90Mi"),
    "no time": ({"cpu": "50m"}, {"max_seconds": 5}, "took longer than runner.max_seconds, 5 s"),
}
"""Of trials: profile, what their runner has beside it, and the cause that is told."""
PLACES = [(kind, name) for kind in ("jobs", "katib") for name in FAILING]


@pytest.fixture(scope="module")
def failing(store, identity, tmp_path_factory) -> dict[tuple[str, str], Search]:
    """Searches whose first trial fails, each for a reason of its own, at the same time."""
    searches = {}
    for kind, name in PLACES:
        profile, runner, _ = FAILING[name]
        limits = {"max_failures": 0, "pending_seconds": 15, "parallel": 1, **runner}
        spec = on(kind, SAMPLED, profile={"cpu_request": "10m", **profile}, **limits)
        searches[kind, name] = Search(spec, tmp_path_factory.mktemp("failing"), identity)
    return searches


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_a_failing_trial_is_reported_with_its_cause(kind: str, name: str, failing):
    problem = failing[kind, name].problem(300)
    assert FAILING[name][2] in problem
    assert "runner.max_failures is 0" in problem


def test_wrong_keys_of_the_store_are_reported(store, identity, tmp_path):
    kubectl(
        "create",
        "secret",
        "generic",
        "wrong",
        "-n",
        "cellwright",
        "--from-literal=AWS_ACCESS_KEY_ID=wrong",
        "--from-literal=AWS_SECRET_ACCESS_KEY=wrong",
    )
    spec = on("jobs", SAMPLED, max_failures=0)
    try:
        problem = Search(
            {**spec, "store": {**spec["store"], "secret": "wrong"}}, tmp_path, identity
        ).problem()
    finally:
        kubectl("delete", "secret", "wrong", "-n", "cellwright")
    assert "s3://cellwright/test/searches/" in problem and "S3 says" in problem


def test_an_interrupted_search_stops_its_trials(store, identity, tmp_path):
    import signal

    search = Search(on("katib", SAMPLED), tmp_path, identity)
    name = experiment_of(search)
    search.until(lambda: objects("pods", f"cellwright.dev/search={name}"))
    search.process.send_signal(signal.SIGINT)
    assert search.process.wait(60) == 130
    deadline = time.monotonic() + 60
    while objects("experiments") and any(e["metadata"]["name"] == name for e in objects("experiments")):
        assert time.monotonic() < deadline
        time.sleep(1)


def test_a_search_that_waits_for_nothing_says_so(store, identity, tmp_path_factory):
    runner = {"stall_seconds": 20, "profile": {"cpu": "300", "cpu_request": "300"}}
    specs = [on(kind, SAMPLED, **runner) for kind in ("jobs", "katib")]
    searches = [Search(spec, tmp_path_factory.mktemp("stalled"), identity) for spec in specs]
    for problem in [search.problem() for search in searches]:
        assert "nothing has happened for runner.stall_seconds, 20 s" in problem
        assert "maximum cpu usage per Container is 128, but limit is 300" in problem
