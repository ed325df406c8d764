"""Checks that a spec is complete for a run on a cluster, and that the servers it names respond."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cellwright.errors import CellwrightError
from cellwright.spec import SearchSpec, StoredData
from cellwright.stores import NoCredentials, store_of
from cellwright.tracking import UnknownHost, check_server, is_server
from cellwright_pipelines.step_secrets import step_secrets

if TYPE_CHECKING:
    from cellwright.runners.kubernetes.api import Cluster

STORE_SECONDS = 2.0
"""How long to retry requests to the store."""
OWN = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
"""Names by which a machine refers to itself."""


def check_before(spec: SearchSpec, log: Callable[[str], None]) -> None:
    """Check all requirements of a run on a cluster that are visible from here; create the bucket if it is missing.

    Args:
        spec: the spec to run.
        log: receives a message for each check that is impossible.

    Raises:
        CellwrightError: names everything that is wrong.
    """
    if found := [*cluster_problems(spec), *server_problems(spec, log, create=True)]:
        raise CellwrightError("\n".join(found))


def cluster_problems(spec: SearchSpec) -> Iterator[str]:
    """Yield what steps on several machines would lack, according to the spec alone."""
    if spec.store is None:
        yield "store is required: steps on a cluster share it"
    if (problem := spec.runner.problem_in_pipeline()) is not None:
        yield f"runner.{problem}"
    if not is_server(spec.tracking.uri or ""):
        yield (
            "tracking.uri must be the http(s) address of an MLflow server that steps on other machines reach, got "
            f"{spec.tracking.uri}"
        )
    addresses = {
        "tracking.uri": spec.tracking.uri,
        "store.endpoint": spec.store.endpoint if spec.store else None,
    }
    if isinstance(spec.data, StoredData):
        addresses["data.endpoint"] = spec.data.endpoint
    for key, address in addresses.items():
        if address and urlsplit(address).hostname in OWN:
            yield f"{key} must be an address that pods reach: {address} is each pod's own"
    for path in (location for location in spec.data.locations.values() if isinstance(location, Path)):
        on_volume = spec.store and spec.store.claim is not None and path.is_relative_to(spec.store.uri)
        if path.exists() and not on_volume:
            yield (
                f"data: {path} is on this machine, and steps run on others: put it into a bucket (s3://BUCKET/KEY), or "
                "on the volume of store.claim"
            )


def server_problems(spec: SearchSpec, log: Callable[[str], None], *, create: bool) -> Iterator[str]:
    """Yield problems with the store and the MLflow server, as far as they are reachable from here.

    Args:
        spec: names the servers.
        log: receives a message for each check that only pods could make, since they have the address or credentials.
        create: whether to create the bucket if it is missing.
    """
    if spec.store is not None and spec.store.claim is None:
        try:
            store_of(spec.store, log=lambda text: None, seconds=STORE_SECONDS).ensure(create=create)
        except NoCredentials:
            log(f"store: {spec.store.uri} is not checked: there are no keys for S3 here")
        except CellwrightError as error:
            if "Could not connect" in str(error) and not _own_endpoint():
                log(f"store: {spec.store.uri} is not checked: {spec.store.endpoint} does not answer here")
            else:
                yield f"store: {error}"
    uri = spec.completed(os.environ).tracking.uri or ""
    if is_server(uri):
        try:
            check_server(uri)
        except UnknownHost:
            log(f"tracking: {uri} is not checked: its host is not known here")
        except CellwrightError as error:
            yield str(error)


def secret_problems(spec: SearchSpec, cluster: "Cluster") -> Iterator[str]:
    """Yield the Secrets of steps that the cluster's namespace lacks, as far as this identity may see. Reads none."""
    for secret in step_secrets(spec):
        try:
            is_there = cluster.has_secret(secret.name)
        except CellwrightError:
            return
        if not is_there:
            yield (
                f"{secret.section}.secret: the Secret {cluster.namespace}/{secret.name} must exist, and does not: "
                f"steps take {' and '.join(secret.keys)} from it"
            )


def _own_endpoint() -> bool:
    return any(name in os.environ for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
