"""Users and passwords in addresses go nowhere but into the environment."""

import pytest

from cellwright.credentials import split_login
from cellwright.errors import CellwrightError, SpecError
from cellwright.spec import SearchSpec, Tracking
from cellwright.spec.loading import load_spec
from cellwright.stores import S3Store

LOGIN = "alice:s3cret"
SPEC = "name: small\ndata: {source: digits}\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tracking.uri", f"http://{LOGIN}@mlflow:5000"),
        ("tracking.uri", "https://alice@mlflow"),
        ("tracking.uri", "http://alice:s3cret/s3cret@mlflow"),
        ("tracking.uri", "http://alice:s3cret s3cret@mlflow"),
        ("tracking.uri", f"postgresql://{LOGIN}@database/mlflow"),
        ("tracking.uri", f"http://{'a' * 100}:s3cret@mlflow"),
        ("tracking.tags", f"{{source: 'https://{LOGIN}@git/repository'}}"),
        ("store.endpoint", f"http://{LOGIN}@minio:9000"),
        ("store", f"{{uri: 'mine://{LOGIN}@host/x', kind: 'package.stores:Mine'}}"),
        ("data", f"{{source: npz, path: 's3://bucket/x.npz', endpoint: 'https://{LOGIN}@minio'}}"),
        ("resources.affinity", f"{{nodeAffinity: ['https://{LOGIN}@host']}}"),
        ("runner", f"{{kind: jobs, labels: {{source: 'https://{LOGIN}@host'}}}}"),
    ],
)
def test_a_spec_with_a_login_is_refused_without_showing_it(tmp_path, key: str, value: str):
    (tmp_path / "spec.yaml").write_text(SPEC)
    with pytest.raises(SpecError, match=key) as caught:
        load_spec(tmp_path / "spec.yaml", [f"{key}={value}"])
    assert "s3cret" not in str(caught.value)


def test_the_message_says_where_they_belong():
    with pytest.raises(ValueError, match="must be without user and password"):
        Tracking(uri=f"http://{LOGIN}@mlflow")


@pytest.mark.parametrize(
    "uri",
    ["http://mlflow:5000", "sqlite:////home/me@work/a b.db", "postgresql://database/mlflow", "databricks"],
)
def test_addresses_without_a_login_are_taken(uri: str):
    assert Tracking(uri=uri).uri == uri


@pytest.mark.parametrize(
    ("uri", "bare", "user", "password"),
    [
        ("http://alice:s3cret@mlflow:5000/x", "http://mlflow:5000/x", "alice", "s3cret"),
        ("https://alice:a%2Fb%40c@mlflow", "https://mlflow", "alice", "a/b@c"),
        ("https://alice@[::1]:5000", "https://[::1]:5000", "alice", ""),
    ],
)
def test_a_login_in_the_environment_moves_to_variables_of_its_own(uri, bare, user, password):
    environ = {"MLFLOW_TRACKING_URI": uri}
    spec = SearchSpec.model_validate({"name": "a", "data": {"source": "digits"}}).completed(environ)
    assert spec.tracking.uri == bare
    assert environ == {
        "MLFLOW_TRACKING_URI": bare,
        "MLFLOW_TRACKING_USERNAME": user,
        "MLFLOW_TRACKING_PASSWORD": password,
    }


def test_variables_stay_where_the_address_has_no_login():
    environ = {"MLFLOW_TRACKING_URI": "http://mlflow", "MLFLOW_TRACKING_PASSWORD": "s3cret"}
    split_login(environ)
    assert environ == {"MLFLOW_TRACKING_URI": "http://mlflow", "MLFLOW_TRACKING_PASSWORD": "s3cret"}


@pytest.mark.parametrize("uri", [f"postgresql://{LOGIN}@database/x", "http://alice:s3/cret@mlflow"])
def test_a_login_that_mlflow_has_no_variables_for_is_refused(uri: str):
    with pytest.raises(
        CellwrightError, match="MLFLOW_TRACKING_URI must be without user and password"
    ) as caught:
        split_login({"MLFLOW_TRACKING_URI": uri})
    assert "s3" not in str(caught.value)


def test_an_endpoint_of_s3_with_a_login_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{LOGIN}@127.0.0.1:9")
    with pytest.raises(
        CellwrightError, match="the endpoint of S3 must be without user and password"
    ) as caught:
        S3Store("s3://bucket/x")
    assert "s3cret" not in str(caught.value)
