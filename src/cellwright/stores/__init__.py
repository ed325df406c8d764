"""Stores: what steps and trials on different machines share. The one place that imports boto3."""

from collections.abc import Callable

from cellwright.stores.base import Store
from cellwright.stores.client import NoCredentials
from cellwright.stores.folder import FolderStore
from cellwright.stores.lease import leased, release
from cellwright.stores.mirror import mirroring
from cellwright.stores.reading import S3Object, S3Reader
from cellwright.stores.retrying import SECONDS, say_line
from cellwright.stores.s3 import S3Store

__all__ = [
    "FolderStore",
    "NoCredentials",
    "S3Object",
    "S3Reader",
    "S3Store",
    "Store",
    "leased",
    "mirroring",
    "open_store",
    "release",
]


def open_store(
    uri: str,
    endpoint: str | None = None,
    *,
    say: Callable[[str], None] = say_line,
    seconds: float = SECONDS,
) -> Store:
    """Return the store at an absolute path, or at `s3://BUCKET/PREFIX` of Amazon's S3 or of another endpoint.

    Args:
        uri: where.
        endpoint: of a server other than Amazon's.
        say: is told what is waited for.
        seconds: to wait for a server that refuses, hangs or breaks off.
    """
    return (
        FolderStore(uri) if uri.startswith("/") else S3Store(uri, endpoint=endpoint, say=say, seconds=seconds)
    )
