from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.spec import SearchSpec
from cellwright_pipelines.checking import check_for_cluster

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


def test_all_mistakes_are_named_at_once(tmp_path):
    (tmp_path / "digits.npz").write_bytes(b"")
    with pytest.raises(CellwrightError) as caught:
        check(store=None, tracking={}, data={"source": "npz", "path": tmp_path / "digits.npz"})
    assert len(str(caught.value).splitlines()) == 3
