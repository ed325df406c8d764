"""What would fail hours later is reported before anything starts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cellwright.cli import workspaces
from tests.answering import HEALTHY, Answer, answering

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits-katib.yaml"
EXPERIMENTS = Answer(b'{"experiments": []}')
NO_BUCKET = Answer(b"<Error><Code>NoSuchBucket</Code></Error>", "application/xml", 404)
DENIED = Answer(b"<Error><Code>AccessDenied</Code></Error>", "application/xml", 403)


def mlflow(version: str):
    return lambda method, path: Answer(version.encode(), "text/plain") if path == "/version" else EXPERIMENTS


def s3(method: str, path: str) -> Answer:
    """Hold the bucket `there`, allow nobody to create `denied`, and let whoever asks create the others."""
    if "there" in path:
        return Answer(kind="application/xml")
    if method == "HEAD":
        return NO_BUCKET
    return DENIED if "denied" in path else Answer(kind="application/xml")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    with (
        answering(mlflow("3.17.2")) as good,
        answering(mlflow("2.9.2")) as old,
        answering(lambda *_: Answer(b"<html>log in</html>", "text/html")) as login,
        answering(lambda *_: Answer(status=401)) as closed,
        answering(lambda *_: Answer(status=404)) as nothing,
        answering(lambda *_: Answer(status=503)) as broken,
        answering(s3) as store,
    ):
        yield {
            "good": good,
            "old": old,
            "login": login,
            "closed": closed,
            "nothing": nothing,
            "broken": broken,
            "store": store,
            "away": "http://127.0.0.1:9",
            "database": "mysql+none://127.0.0.1:9/mlflow",
            "databricks": "databricks://nobody",
        }


@pytest.fixture(autouse=True)
def keys(servers, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setenv("AWS_ENDPOINT_URL", servers["store"])


MISTAKES = {
    "a name with a slash": ("register.name=my/model", "register.name"),
    "a name that goes up": ("register.name='..'", "register.name"),
    "a name that is too long": (f"register.name={'a' * 300}", "register.name"),
    "a blank experiment": ("tracking.experiment=' '", "tracking.experiment"),
    "an experiment that is too long": (f"tracking.experiment={'e' * 600}", "tracking.experiment"),
    "no MLflow server": ("tracking.uri=null", "tracking.uri must be the http(s) address"),
    "a file in its place": ("tracking.uri=./mlruns", "tracking.uri: must be the http(s) address"),
    "each pod's own machine": (
        "tracking.uri=http://localhost:5000",
        "tracking.uri must be an address that pods reach",
    ),
    "MLflow 2": ("tracking.uri={old}", "must be MLflow 3 or later, got 2.9.2"),
    "a page to log in": ("tracking.uri={login}", "must be MLflow's API, but what answers is text/html"),
    "another service": ("tracking.uri={nothing}", "must be MLflow's API, but what answers is"),
    "MLflow without a login": ("tracking.uri={closed}", "refuses (401)"),
    "MLflow that is away": ("tracking.uri={away}", "{away} does not answer"),
    "MLflow that is broken": ("tracking.uri={broken}", "{broken} answers 503"),
    "no store": ("store=null", "store is required"),
    "no bucket": ("store.uri=s3://missing/digits", "aws s3 mb s3://missing --endpoint-url {store}"),
    "local data": ("data={{source: npz, path: here.npz}}", "here.npz is on this machine"),
    "no data": ("data={{source: npz, path: s3://missing/digits.npz}}", "data.path: s3://missing/digits.npz"),
}


@pytest.mark.parametrize("planted", MISTAKES, ids=lambda name: name.replace(" ", "-"))
def test_validate_finds_what_would_fail_on_a_cluster(cellwright, tmp_path, servers, planted):
    override, line = (text.format(**servers) for text in MISTAKES[planted])
    values = yaml.safe_load(EXAMPLE.read_text())
    values["tracking"]["uri"] = "http://mlflow.invalid:5000"
    values["store"]["uri"] = "s3://there/digits"
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "here.npz").write_bytes(b"")
    result = cellwright("validate", "search.yaml", "--set", override)
    assert result.exit_code == 1, result.stdout
    assert line in result.stderr
    assert all(
        text.startswith(("error: search.yaml", "search.yaml", "tracking: "))
        for text in result.stderr.splitlines()
    )


def test_an_address_that_only_pods_reach_is_reported_without_an_error(cellwright, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    result = cellwright("validate", EXAMPLE)
    assert result.exit_code == 0, result.stderr
    assert "store: s3://cellwright/digits-katib is not checked" in result.stderr
    assert "tracking: http://mlflow.cellwright-system:5000 is not checked" in result.stderr


@pytest.mark.parametrize("command", ["run", "register"])
def test_a_wrong_mlflow_server_is_reported_before_the_work(cellwright, spec, servers, monkeypatch, command):
    monkeypatch.setattr(workspaces, "SERVER_SECONDS", 0.0)
    for server, line in (
        ("old", "MLflow 3 or later"),
        ("away", "does not answer"),
        ("login", "MLflow's API"),
        ("database", "mysql.none"),
        ("databricks", "Databricks"),
    ):
        result = cellwright(command, spec, "--set", f"tracking.uri={servers[server]}")
        assert result.exit_code == 1
        assert line in result.stderr
        assert result.stdout == ""


def test_submit_creates_the_bucket_or_names_the_command(cellwright, spec, servers, monkeypatch):
    text = spec.read_text() + "tracking: {uri: 'http://mlflow.invalid:5000'}\nstore: {uri: s3://%s/a}\n"
    spec.write_text(text % "denied")
    with answering(lambda *_: Answer(HEALTHY)) as host:
        result = cellwright("submit", spec, "--host", host)
        assert "may not create it (AccessDenied): `aws s3 mb s3://denied --endpoint-url" in result.stderr
        spec.write_text(text % "new")
        assert "aws s3 mb" not in cellwright("submit", spec, "--host", host).stderr


def test_an_address_that_mlflow_cannot_use_is_reported_before_the_work(cellwright, spec, monkeypatch):
    result = cellwright("validate", spec, "--set", "tracking.uri=localhost:5000")
    assert "got 'localhost:5000'; did you mean 'http://localhost:5000'?" in result.stderr
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    result = cellwright("run", spec)
    assert "tracking.uri or MLFLOW_TRACKING_URI must be the http(s) address" in result.stderr
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize("name", ["what?", "a%20b"])
def test_a_folder_that_mlflow_cannot_address_is_reported_before_the_work(cellwright, spec, name):
    result = cellwright("run", spec, "--runs", name)
    assert result.exit_code == 1
    assert "folder without ? and %XX in its path" in result.stderr and name in result.stderr
    assert result.stdout == ""
