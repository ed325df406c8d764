"""Stores: files shared by steps and trials on different machines. Only this package imports boto3."""

from collections.abc import Callable

from cellwright.errors import CellwrightError
from cellwright.importing import load_class
from cellwright.spec import STORES
from cellwright.spec.store import StoreSection
from cellwright.stores.attempts import attempting, download_initial, finished, pull, push, upload_initial
from cellwright.stores.base import Store
from cellwright.stores.client import NoCredentials
from cellwright.stores.folder import FolderStore
from cellwright.stores.lease import LEASES, leased, release
from cellwright.stores.reading import S3Object, S3Reader
from cellwright.stores.retrying import say_line
from cellwright.stores.s3 import S3Store

__all__ = [
    "LEASES",
    "FolderStore",
    "NoCredentials",
    "S3Object",
    "S3Reader",
    "S3Store",
    "Store",
    "attempting",
    "download_initial",
    "finished",
    "leased",
    "open_store",
    "pull",
    "push",
    "release",
    "store_of",
    "upload_initial",
]


def open_store(
    uri: str,
    endpoint: str | None = None,
    *,
    kind: str | None = None,
    log: Callable[[str], None] = say_line,
    seconds: float | None = None,
) -> Store:
    """Open the store at a URI.

    Args:
        uri: an absolute path, `s3://BUCKET/PREFIX`, or a URI that `kind` understands.
        endpoint: server to use instead of the scheme's default.
        kind: import path of a custom store class; by default, the URI's scheme selects the class.
        log: receives a message when the store waits.
        seconds: how long to retry if the server refuses or breaks connections; by default, the store's own limit.

    Raises:
        CellwrightError: no store has that scheme, or `kind` cannot be imported.
    """
    scheme = uri.partition("://")[0] if "://" in uri else ""
    if kind is None and scheme not in STORES:
        known = ", ".join(f"{known}://" for known in STORES if known)
        raise CellwrightError(f"a store must be at {known} or an absolute path, got {uri}")
    store = load_class(kind or STORES[scheme], Store)  # type: ignore[type-abstract]
    return store.open(uri, endpoint=endpoint, log=log, seconds=seconds)


def store_of(
    section: StoreSection, *, log: Callable[[str], None] = say_line, seconds: float | None = None
) -> Store:
    """Open the store of a spec's `store` section; see `open_store`."""
    return open_store(section.uri, section.endpoint, kind=section.kind, log=log, seconds=seconds)
