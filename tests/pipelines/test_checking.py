from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.spec import SearchSpec
from cellwright_pipelines.checking import check_for_cluster, secret_problems

WHOLE = {
    "name": "a",
    "data": {"source": "digits"},
    "store": {"uri": "s3://bucket/a"},
    "tracking": {"uri": "http://mlflow:5000"},
}


def check(**sections) -> None:
    values = {name: value for name, value in {**WHOLE, **sections}.items() if value is not None}
    check_for_cluster(SearchSpec.model_validate(values))


def test_what_is_whole_passes():
    check()
    check(data={"source": "npz", "path": "s3://bucket/digits.npz"})
    check(data={"source": "npz", "path": "/in/the/image.npz"})


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"store": None}, "store is required: steps on a cluster share it"),
        ({"tracking": {}}, "tracking.uri must be the http.* got None"),
        ({"tracking": {"uri": "sqlite:////mlflow.db"}}, "tracking.uri must be .* got sqlite:////mlflow.db"),
    ],
)
def test_what_is_missing_is_named(sections, line):
    with pytest.raises(CellwrightError, match=line):
        check(**sections)


def test_data_of_this_machine_is_refused_unless_it_is_on_the_volume(tmp_path: Path):
    path = tmp_path / "digits.npz"
    path.write_bytes(b"")
    data = {"source": "npz", "path": path}
    with pytest.raises(CellwrightError, match="digits.npz is on this machine, and steps run on others"):
        check(data=data)
    check(data=data, store={"uri": str(tmp_path), "claim": "volume"})


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"tracking": {"uri": "http://localhost:5000"}}, "tracking.uri must be an address that pods reach"),
        (
            {"store": {"uri": "s3://bucket/a", "endpoint": "http://127.0.0.1:9000"}},
            "store.endpoint must be an address that pods reach",
        ),
    ],
)
def test_an_address_that_is_each_pods_own_is_refused(sections, line):
    with pytest.raises(CellwrightError, match=line):
        check(**sections)


def test_all_errors_are_named_at_once(tmp_path):
    (tmp_path / "digits.npz").write_bytes(b"")
    with pytest.raises(CellwrightError) as caught:
        check(store=None, tracking={}, data={"source": "npz", "path": tmp_path / "digits.npz"})
    assert len(str(caught.value).splitlines()) == 3


def test_the_secrets_of_steps_are_looked_for_without_being_read():
    class Known:
        namespace = "kubeflow"
        secrets = ("store",)

        def has_secret(self, name: str) -> bool:
            if self.secrets is None:
                raise CellwrightError("kubernetes: read_secret_metadata: forbidden")
            return name in self.secrets

    named = {
        "store": {"uri": "s3://b/a", "secret": "store"},
        "tracking": {"uri": "http://m", "secret": "login"},
    }
    spec, cluster = SearchSpec.model_validate({**WHOLE, **named}), Known()
    assert list(secret_problems(spec, cluster)) == [
        "tracking.secret: the Secret kubeflow/login must exist, and does not: steps take MLFLOW_TRACKING_USERNAME "
        "and MLFLOW_TRACKING_PASSWORD from it"
    ]
    cluster.secrets = None
    assert list(secret_problems(spec, cluster)) == []
