import re
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.spec import SearchSpec
from cellwright_pipelines.checking import cluster_problems, secret_problems

WHOLE = {
    "name": "a",
    "data": {"source": "digits"},
    "store": {"uri": "s3://bucket/a"},
    "tracking": {"uri": "http://mlflow:5000"},
}


def problems(**sections) -> list[str]:
    values = {name: value for name, value in {**WHOLE, **sections}.items() if value is not None}
    return list(cluster_problems(SearchSpec.model_validate(values)))


def test_what_is_whole_passes():
    assert not problems()
    assert not problems(data={"source": "npz", "path": "s3://bucket/digits.npz"})
    assert not problems(data={"source": "npz", "path": "/in/the/image.npz"})
    assert not problems(runner={"kind": "katib", "namespace": "kubeflow"})


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"store": None}, "store is required: steps on a cluster share it"),
        ({"runner": {"kind": "katib"}}, "runner.namespace is required in a pipeline"),
        ({"runner": {"kind": "jobs"}}, "runner.namespace is required in a pipeline"),
        ({"tracking": {}}, "tracking.uri must be the http.* got None"),
        ({"tracking": {"uri": "sqlite:////mlflow.db"}}, "tracking.uri must be .* got sqlite:////mlflow.db"),
    ],
)
def test_what_is_missing_is_named(sections, line):
    (problem,) = problems(**sections)
    assert re.search(line, problem)


def test_data_of_this_machine_is_refused_unless_it_is_on_the_volume(tmp_path: Path):
    path = tmp_path / "digits.npz"
    path.write_bytes(b"")
    data = {"source": "npz", "path": path}
    (problem,) = problems(data=data)
    assert "digits.npz is on this machine, and steps run on others" in problem
    assert not problems(data=data, store={"uri": str(tmp_path), "claim": "volume"})


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
    (problem,) = problems(**sections)
    assert re.search(line, problem)


def test_all_errors_are_named_at_once(tmp_path):
    (tmp_path / "digits.npz").write_bytes(b"")
    found = problems(store=None, tracking={}, data={"source": "npz", "path": tmp_path / "digits.npz"})
    assert len(found) == 3


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
