from pathlib import Path

import pytest

from cellwright.cli import connecting
from cellwright.cli.connecting import connection
from cellwright.errors import CellwrightError


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch) -> Path:
    """The user's file, which is not there yet."""
    for name in ("HOST", "NAMESPACE", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"CELLWRIGHT_{name}", raising=False)
    for name in ("KUBERNETES_SERVICE_HOST", "KF_PIPELINES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "cellwright.toml"


def test_nothing_need_be_said():
    found = connection(None, None, None)
    assert (found.host, found.namespace, found.token) == (None, None, None)


def test_a_pod_takes_its_own_cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setattr(connecting, "POD_TOKEN", tmp_path / "token")
    assert connection(None, None, None).host == "http://ml-pipeline.kubeflow.svc:8888"
    (tmp_path / "token").write_text("projected\n")
    assert connection(None, None, None).token == "projected"
    assert connection("http://elsewhere", None, None).token is None


def test_options_come_before_the_environment_and_that_before_the_file(file, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("secret\n")
    file.write_text(
        f'[kubeflow]\nhost = "http://file"\nnamespace = "file"\ntoken_file = "{tmp_path / "token"}"\n'
    )
    found = connection(None, None, None)
    assert (found.host, found.namespace, found.token) == ("http://file", "file", "secret")
    monkeypatch.setenv("CELLWRIGHT_NAMESPACE", "environment")
    monkeypatch.setenv("CELLWRIGHT_HOST", "http://environment")
    found = connection("http://option", None, None)
    assert (found.host, found.namespace, found.token) == ("http://option", "environment", "secret")


def test_a_token_may_be_in_the_environment_and_is_never_shown(monkeypatch):
    monkeypatch.setenv("CELLWRIGHT_TOKEN", "secret")
    found = connection(None, None, None)
    assert found.token == "secret"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("host = 1", "host: Extra inputs are not permitted"),
        ("[kubeflow]\nhosts = 'x'", "kubeflow.hosts: Extra inputs are not permitted"),
        ("[kubeflow", "cellwright.toml must be TOML with host, namespace and token_file under"),
    ],
)
def test_a_mistake_in_the_file_is_named(file, text, line):
    file.write_text(text)
    with pytest.raises(CellwrightError, match=line):
        connection(None, None, None)


def test_a_missing_token_file_is_named(tmp_path):
    with pytest.raises(CellwrightError, match="token file .*/none cannot be read: No such file"):
        connection(None, None, tmp_path / "none")
