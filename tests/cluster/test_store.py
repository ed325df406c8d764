"""The store in a real S3."""

import os
import uuid
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.stores import S3Store, mirroring


@pytest.fixture
def bucket(store) -> S3Store:
    return S3Store(f"s3://cellwright/{uuid.uuid4().hex}")


def test_a_folder_comes_back_as_it_was_pushed(bucket, tmp_path: Path):
    for name, size in {"small": 3, "shards/large": 20_000_000, "step.json": 2}.items():
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_bytes(os.urandom(size))
    bucket.push(tmp_path / "here", "data/x", last="step.json")
    bucket.pull("data/x", tmp_path / "there")
    for name in ("small", "shards/large", "step.json"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    bucket.delete("data")
    assert bucket.sizes("data") == {}


def test_a_mirror_keeps_up(bucket, tmp_path: Path):
    with mirroring(tmp_path, bucket, "trial", seconds=60):
        (tmp_path / "checkpoint").write_text("epoch 1")
    assert bucket.sizes("trial") == {"checkpoint": 7}


def test_what_is_not_there_is_named(bucket, store, tmp_path: Path):
    with pytest.raises(CellwrightError, match=r"s3://cellwright/\w+/none: S3 says NoSuchKey"):
        bucket.get("none", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(CellwrightError, match="s3://no-such-bucket/data: S3 says NoSuchBucket"):
        S3Store("s3://no-such-bucket").sizes("data")


def test_no_server_is_told(store, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(CellwrightError, match="Could not connect to the endpoint URL"):
        S3Store("s3://cellwright", seconds=0).sizes("data")
