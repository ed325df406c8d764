"""What S3 says about an object's bytes: its ETag, and checksums.

The ETag of an object that was uploaded at once is its MD5; of one in N parts, the MD5 of the parts' MD5s, and `-N`.
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
"""Those that Python computes by itself, the strongest first."""


def num_parts(etag: str) -> int | None:
    """Return how many parts the ETag is of, 0 for none; None for one that tells nothing of the bytes."""
    found = re.fullmatch(r'"?[0-9a-f]{32}(?:-([0-9]+))?"?', etag)
    return int(found[1] or 0) if found else None


def file_etag(path: Path, parts: Sequence[int]) -> str:
    """Return the ETag of a file that is uploaded in parts of these sizes; of none, at once."""
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
    """Return the sizes of the parts of an object, all the same but the last."""
    return [part] * (size // part) + ([size % part] if size % part else [])


def file_checksum(path: Path, name: str) -> str:
    """Return a checksum as S3 spells it, in base64."""
    with path.open("rb") as file:
        if name != "CRC32":
            return base64.b64encode(hashlib.file_digest(file, name.lower()).digest()).decode()
        value = 0
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def is_right(path: Path, etag: str, is_encrypted: bool, head: Callable[..., Mapping[str, Any]]) -> bool:
    """Tell whether the file has the bytes of an object, as far as its ETag tells, or else its checksums.

    Args:
        path: the file, of the object's size.
        etag: of the object.
        is_encrypted: whether the ETag is of the encrypted bytes.
        head: gives what S3 says of the object, or of its part `PartNumber`.
    """
    number = num_parts(etag)
    if number is None or is_encrypted:
        said = head(ChecksumMode="ENABLED")
        known = [name for name in CHECKSUMS if f"Checksum{name}" in said]
        if not known or said.get("ChecksumType") == "COMPOSITE":
            return True
        return file_checksum(path, known[0]) == str(said[f"Checksum{known[0]}"])
    if number == 0:
        return file_etag(path, ()) == etag
    size, first = path.stat().st_size, head(PartNumber=1)["ContentLength"]
    if first == size and number > 1:  # the server does not know parts any more: the size must do
        return True
    if file_etag(path, equal_parts(size, first)) == etag:
        return True
    return file_etag(path, [head(PartNumber=n)["ContentLength"] for n in range(1, number + 1)]) == etag
