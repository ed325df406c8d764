"""Checks files against the ETag and checksums of an S3 object.

The ETag of an object that was uploaded in one request is its MD5. For an upload in N parts, it is the MD5 of the
parts' MD5s, followed by `-N`.
See https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
CHECKSUMS = ("SHA256", "SHA1", "CRC32")
"""Checksums that Python's standard library can compute, the strongest first."""


def num_parts(etag: str) -> int | None:
    """Return the number of parts in the ETag, 0 for a single upload, or None if the ETag is not an MD5."""
    found = re.fullmatch(r'"?[0-9a-f]{32}(?:-([0-9]+))?"?', etag)
    return int(found[1] or 0) if found else None


def file_etag(path: Path, parts: Sequence[int]) -> str:
    """Return the ETag of a file uploaded in parts of these sizes, or in one request if there are none."""
    with path.open("rb") as file:
        if not parts:
            return f'"{hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()}"'
        whole = hashlib.md5(usedforsecurity=False)
        for size in parts:
            part = hashlib.md5(usedforsecurity=False)
            while size > 0 and (chunk := file.read(min(size, CHUNK))):
                part.update(chunk)
                size -= len(chunk)
            whole.update(part.digest())
    return f'"{whole.hexdigest()}-{len(parts)}"'


def equal_parts(size: int, part: int) -> list[int]:
    """Return the sizes of equal parts of an object; the last part may be smaller."""
    return [part] * (size // part) + ([size % part] if size % part else [])


def file_checksum(path: Path, name: str) -> str:
    """Return a checksum in S3's notation, which is base64."""
    with path.open("rb") as file:
        if name != "CRC32":
            return base64.b64encode(hashlib.file_digest(file, name.lower()).digest()).decode()
        value = 0
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def is_right(path: Path, etag: str, is_encrypted: bool, head: Callable[..., Mapping[str, Any]]) -> bool:
    """Return whether the file has the bytes of an object, checked by the ETag or, if that is impossible, by checksums.

    Args:
        path: the file, which has the object's size.
        etag: the object's ETag.
        is_encrypted: whether the ETag is that of the encrypted bytes.
        head: returns S3's metadata of the object, or of its part `PartNumber`.
    """
    number = num_parts(etag)
    if number is None or is_encrypted:
        answer = head(ChecksumMode="ENABLED")
        known = [name for name in CHECKSUMS if f"Checksum{name}" in answer]
        if not known or answer.get("ChecksumType") == "COMPOSITE":
            return True
        return file_checksum(path, known[0]) == str(answer[f"Checksum{known[0]}"])
    if number == 0:
        return file_etag(path, ()) == etag
    size, first = path.stat().st_size, head(PartNumber=1)["ContentLength"]
    if first == size and number > 1:  # the server no longer knows the parts, so only the size can be checked
        return True
    if file_etag(path, equal_parts(size, first)) == etag:
        return True
    return file_etag(path, [head(PartNumber=n)["ContentLength"] for n in range(1, number + 1)]) == etag
