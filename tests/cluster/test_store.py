"""The store in a real S3."""

import os
import uuid
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.stores import S3Store
from cellwright.testing import StoreContract


@pytest.fixture
def bucket(store) -> S3Store:
    return S3Store(f"s3://cellwright/{uuid.uuid4().hex}")


class TestS3(StoreContract):
    @pytest.fixture
    def store(self, store) -> S3Store:
        return S3Store(f"s3://cellwright/{uuid.uuid4().hex}")


def test_a_large_file_comes_back_as_it_was_pushed(bucket, tmp_path: Path):
    (tmp_path / "here").write_bytes(os.urandom(20_000_000))
    bucket.put(tmp_path / "here", "data/x")
    bucket.get("data/x", tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_what_is_not_there_is_named(bucket, store, tmp_path: Path):
    with pytest.raises(CellwrightError, match=r"s3://cellwright/\w+/none: S3 says NoSuchKey"):
        bucket.get("none", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(CellwrightError, match="s3://no-such-bucket/data: S3 says NoSuchBucket"):
        S3Store("s3://no-such-bucket").sizes("data")


def test_a_missing_server_is_reported(store, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(CellwrightError, match="Could not connect to the endpoint URL"):
        S3Store("s3://cellwright", seconds=0).sizes("data")
