import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cellwright.stores.integrity import equal_parts, file_checksum, file_etag, is_right, num_parts

CONTENT = bytes(range(256)) * 41
FEW = [4096, 4096, 2304]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


def md5(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


def head_of(parts: list[int], **facts: str):
    def head(PartNumber: int = 0, **asked: str) -> Mapping[str, Any]:
        return {"ContentLength": parts[PartNumber - 1] if PartNumber else sum(parts), **facts}

    return head


def test_etags_are_md5s_or_md5s_of_md5s(path: Path):
    assert file_etag(path, ()) == f'"{md5(CONTENT).hex()}"'
    whole = md5(md5(CONTENT[:4096]) + md5(CONTENT[4096:8192]) + md5(CONTENT[8192:]))
    assert file_etag(path, FEW) == f'"{whole.hex()}-3"'
    assert [num_parts(file_etag(path, parts)) for parts in ((), FEW, [len(CONTENT)])] == [0, 3, 1]
    assert num_parts('"CKih16GjycICEAE="') is None


@pytest.mark.parametrize(
    ("size", "part", "parts"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (0, 4, [])]
)
def test_all_parts_are_equal_but_the_last(size, part, parts):
    assert equal_parts(size, part) == parts


def test_checksums_have_the_format_of_s3(path: Path):
    assert file_checksum(path, "SHA256") == base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    path.write_bytes(b"hello")
    assert file_checksum(path, "CRC32") == "NhCmhg=="  # what an S3 says of these bytes


@pytest.mark.parametrize("parts", [[], FEW, [3000, 4000, 3496]], ids=["at once", "equal", "unequal"])
def test_the_right_bytes_are_distinguished_from_others(path: Path, parts: list[int]):
    etag = file_etag(path, parts)
    assert is_right(path, etag, False, head_of(parts))
    path.write_bytes(CONTENT[:-1] + b"?")
    assert not is_right(path, etag, False, head_of(parts))


@pytest.mark.parametrize(("etag", "is_encrypted"), [('"an opaque one"', False), (f'"{"0" * 32}"', True)])
def test_where_the_etag_is_no_md5_the_checksum_counts(path: Path, etag, is_encrypted):
    right = head_of([], ChecksumSHA1=file_checksum(path, "SHA1"), ChecksumType="FULL_OBJECT")
    wrong = head_of([], ChecksumCRC32="NhCmhg==")
    assert is_right(path, etag, is_encrypted, right)
    assert not is_right(path, etag, is_encrypted, wrong)


def test_where_nothing_can_be_computed_the_size_does(path: Path):
    assert is_right(path, '"an opaque one"', False, head_of([]))
    assert is_right(path, '"an opaque one"', False, head_of([], ChecksumSHA1="x-3", ChecksumType="COMPOSITE"))
    forgotten = head_of([len(CONTENT)] * 3)  # a server that answers with the whole for every part
    assert is_right(path, f'"{"0" * 32}-3"', False, forgotten)
