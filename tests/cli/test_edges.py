"""What answers is not what was expected: commands about clusters end in one line."""

import kubernetes
import pytest

from cellwright.retrying import Retry
from cellwright.runners.kubernetes import api
from cellwright_pipelines import kubeflow
from tests.answering import HEALTHY, Answer, answering

COMMANDS = (
    ("runs",),
    ("status", "abc"),
    ("logs", "abc", "search"),
    ("stop", "abc"),
    ("schedules",),
    ("unschedule", "tiny"),
    ("run-now", "tiny"),
    ("submit", "search.yaml"),
    ("schedule", "search.yaml", "--cron", "0 3 * * 1"),
)
ON_CLUSTER = "store: {uri: s3://here/tiny}\ntracking: {uri: 'http://127.0.0.1:9'}\n"
KUBECONFIG = (
    "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
    "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}]\nusers: [{name: a, user: {token: x}}]\n"
)


def assert_one_line(result, *parts: str) -> None:
    assert result.exit_code == 1, result
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert all(part in line for part in parts), line


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(kubeflow, "FIRST_SECONDS", 0.0)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_wrong_address_is_named(cellwright, spec, command):
    spec.write_text(spec.read_text() + ON_CLUSTER)
    result = cellwright(*command, "--host", "http://127.0.0.1:9")
    assert_one_line(result, "Kubeflow Pipelines at http://127.0.0.1:9 does not answer", "--host")


@pytest.mark.parametrize("host", ["", "ftp://x", "http://[::1", "http://", "a b"])
def test_what_is_no_address_is_refused(cellwright, host):
    assert_one_line(cellwright("runs", "--host", host), "--host must be a URL", repr(host))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<html>log in</html>"),
        ("application/json", b'{"status": "ok"}'),
        ("text/plain", b""),
        ("application/json", b"{}"),
    ],
)
def test_another_service_in_the_place_of_kubeflow_is_reported(cellwright, content_type, body):
    with answering(lambda *_: Answer(body, content_type)) as host:
        for command in (("runs",), ("stop", "abc")):
            result = cellwright(*command, "--host", host)
            assert_one_line(result, host, "must be that of the API of Kubeflow Pipelines", content_type)


@pytest.mark.parametrize("command", [("status", "abc"), ("stop", "abc"), ("logs", "abc", "search")])
def test_an_answer_without_its_ids_is_refused(cellwright, command):
    with answering(lambda *_: Answer(HEALTHY)) as host:
        assert_one_line(cellwright(*command, "--host", host), "must have run_id")


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    """The file that KUBECONFIG names, which the client reads from the environment when it is imported."""
    path = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(path))
    for module in (kubernetes.config, kubernetes.config.kube_config):
        monkeypatch.setattr(module, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return path


@pytest.mark.parametrize("text", [None, "{", "- a", "words", "", "\0"])
def test_a_kubeconfig_that_cannot_be_used_is_named(cellwright, spec, kubeconfig, text):
    if text is not None:
        kubeconfig.write_text(text)
    spec.write_text(spec.read_text() + "runner: {kind: jobs}\n" + ON_CLUSTER)
    for command in (("doctor", spec), ("register-suggestions",), ("runs",)):
        assert_one_line(cellwright(*command), "a cluster is needed", str(kubeconfig))


def test_a_failed_login_is_reported(cellwright, kubeconfig):
    login = "users: [{name: a, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login}}}]"
    kubeconfig.write_text(KUBECONFIG.replace("users: [{name: a, user: {token: x}}]", login))
    assert_one_line(cellwright("register-suggestions"), "login", "no-such-login")


def test_an_unavailable_cluster_is_reported_with_its_address(cellwright, spec, kubeconfig, monkeypatch):
    kubeconfig.write_text(KUBECONFIG)
    monkeypatch.setattr(
        api, "Retry", lambda is_transient, **rest: Retry(is_transient, **(rest | {"seconds": 0.0}))
    )
    spec.write_text(spec.read_text() + "runner: {kind: jobs}\n" + ON_CLUSTER)
    for command in (("doctor", spec), ("register-suggestions",)):
        assert_one_line(cellwright(*command), "no answer from https://127.0.0.1:9")
    monkeypatch.setattr(kubeflow, "FIRST_SECONDS", 0.0)
    assert_one_line(cellwright("runs"), "Kubeflow Pipelines at https://127.0.0.1:9 does not answer")
