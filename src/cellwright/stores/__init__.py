"""Stores: what steps and trials on different machines share. The one place that imports boto3."""

from cellwright.stores._base import Store
from cellwright.stores._folder import FolderStore
from cellwright.stores._lease import leased, release
from cellwright.stores._mirror import mirroring
from cellwright.stores._s3 import S3Store

__all__ = ["FolderStore", "S3Store", "Store", "leased", "mirroring", "open_store", "release"]


def open_store(uri: str, endpoint: str | None = None) -> Store:
    """Return the store at an absolute path or at `s3://BUCKET/PREFIX`, of Amazon's S3 or of another endpoint."""
    return FolderStore(uri) if uri.startswith("/") else S3Store(uri, endpoint=endpoint)
