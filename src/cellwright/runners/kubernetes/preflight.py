"""Checks a cluster before a search: what is missing, and how to fix it."""

from collections.abc import Callable, Iterator
from typing import Any

import kubernetes

from cellwright.errors import CellwrightError
from cellwright.runners.base import Finding
from cellwright.runners.kubernetes.api import Cluster
from cellwright.runners.kubernetes.experiment import GROUP, VERSION
from cellwright.runners.kubernetes.pods import TrialPods
from cellwright.runners.kubernetes.registration import MEMORY, read_config
from cellwright.spec import count_bytes
from cellwright.stores import store_of

COMMON = (("batch", "jobs", "create list patch delete"), ("", "pods", "list"), ("", "events", "list"))
KATIB = (
    (GROUP, "experiments", "create get patch delete"),
    (GROUP, "suggestions", "get delete"),
    (GROUP, "trials", "list"),
)
"""API requests of the search step: group, resource, verbs."""
STORE_SECONDS = 10.0
"""How long to retry requests to the store."""


def preflight(
    cluster: Cluster, pods: TrialPods, *, algorithm: str | None, katib_namespace: str
) -> Iterator[Finding]:
    """Yield the result of each check for a search with these pods.

    Args:
        cluster: the cluster and namespace.
        pods: the common properties of the trials' pods.
        algorithm: Katib's name of the algorithm; None for a search without Katib.
        katib_namespace: namespace of Katib itself.

    Raises:
        CellwrightError: the cluster does not respond.
    """
    cluster.ask(kubernetes.client.VersionApi().get_code)
    if algorithm is not None:
        yield _resources_of_katib(cluster)
        yield from _registered(cluster, algorithm, katib_namespace)
    for group, resource, verbs in COMMON + (KATIB if algorithm is not None else ()):
        yield _permission(cluster, group, resource, verbs.split())
    for kind, name, is_there in _named(cluster, pods):
        yield _exists(cluster, kind, name, is_there)
    yield _admitted(cluster, pods)
    yield _image(cluster, pods.runner.image or pods.image)
    if pods.profile.gpus:
        yield _gpu_nodes(cluster, pods)
    yield _store(pods)


def _resources_of_katib(cluster: Cluster) -> Finding:
    what = f"Katib's resources, {GROUP}/{VERSION}"
    try:
        cluster.ask(
            cluster.objects.list_namespaced_custom_object,
            GROUP,
            VERSION,
            cluster.namespace,
            "trials",
            limit=1,
        )
    except CellwrightError as error:
        return Finding(what, f"{error}: install Katib 0.19, or use runner.kind jobs")
    return Finding(what, None)


def _registered(cluster: Cluster, algorithm: str, namespace: str) -> Iterator[Finding]:
    what = f"the algorithm {algorithm} in {namespace}/katib-config"
    mend = "`cellwright register-suggestions` registers all"
    try:
        suggestions = read_config(cluster.at(namespace)).get("runtime", {}).get("suggestions", ())
    except CellwrightError as error:
        yield _unseen(what, error)
        return
    found = next((s for s in suggestions if s["algorithmName"] == algorithm), None)
    yield Finding(what, f"is not registered: {mend}" if found is None else None)
    if found is not None:
        limit = found.get("resources", {}).get("limits", {}).get("memory", "100Mi")
        little = count_bytes(limit) < count_bytes(MEMORY)
        yield Finding(
            f"{MEMORY} of memory for its service",
            f"has {limit}, and would be killed: {mend}" if little else None,
        )


def _permission(cluster: Cluster, group: str, resource: str, verbs: list[str]) -> Finding:
    refused = []
    for verb in verbs:
        attributes = kubernetes.client.V1ResourceAttributes(
            namespace=cluster.namespace, verb=verb, group=group, resource=resource
        )
        review = kubernetes.client.V1SelfSubjectAccessReview(
            spec=kubernetes.client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        if not cluster.ask(cluster.access.create_self_subject_access_review, review).status.allowed:
            refused.append(verb)
    return Finding(
        f"permission to {', '.join(verbs)} {resource} in {cluster.namespace}",
        f"{', '.join(refused)} is refused: bind the Role cellwright-search of manifests/base"
        if refused
        else None,
    )


def _named(cluster: Cluster, pods: TrialPods) -> Iterator[tuple[str, str, Callable[[str], bool]]]:
    """Yield the objects that the pods refer to by name, each with a function that returns whether it exists."""

    def read(call: Callable[..., Any]) -> Callable[[str], bool]:
        return lambda name: cluster.find(call, name, cluster.namespace) is not None

    for name in filter(None, (pods.store.secret, *pods.profile.image_pull_secrets)):
        yield "Secret", name, cluster.has_secret
    if pods.store.claim:
        claims = read(cluster.core.read_namespaced_persistent_volume_claim)
        yield "PersistentVolumeClaim", pods.store.claim, claims
    if pods.profile.service_account:
        accounts = read(cluster.core.read_namespaced_service_account)
        yield "ServiceAccount", pods.profile.service_account, accounts


def _exists(cluster: Cluster, kind: str, name: str, is_there: Callable[[str], bool]) -> Finding:
    what = f"{kind} {cluster.namespace}/{name}"
    try:
        return Finding(what, None if is_there(name) else "is not there, and trials name it")
    except CellwrightError as error:
        return _unseen(what, error)


def _admitted(cluster: Cluster, pods: TrialPods) -> Finding:
    """Check that the namespace's policies admit a trial; permissions are checked separately."""
    what = f"admission of a trial's Job to {cluster.namespace}"
    job = pods.job("0-0")
    job["metadata"]["name"] = pods.search
    try:
        cluster.create(cluster.batch.create_namespaced_job, cluster.namespace, job, dry_run="All")
    except CellwrightError as error:
        return _unseen(what, error)
    return Finding(what, None)


def _image(cluster: Cluster, image: str) -> Finding:
    """Check that a node has the image. Whether other nodes can pull it is only known after a pull."""
    try:
        nodes = cluster.ask(cluster.core.list_node).items
    except CellwrightError as error:
        return _unseen(f"the image {image}", error)
    having = sum(any(image in (stored.names or ()) for stored in node.status.images or ()) for node in nodes)
    return Finding(
        f"the image {image} ({having} of {len(nodes)} nodes have it, others must be able to pull it)", None
    )


def _gpu_nodes(cluster: Cluster, pods: TrialPods) -> Finding:
    resource = pods.profile.gpu_resource
    selector = ",".join(f"{key}={value}" for key, value in pods.profile.node_selector.items())
    what = f"a node with {pods.profile.gpus} {resource}" + (f" and {selector}" if selector else "")
    try:
        nodes = cluster.ask(cluster.core.list_node, label_selector=selector).items
    except CellwrightError as error:
        return _unseen(what, error)
    most = max((int(node.status.allocatable.get(resource, 0)) for node in nodes), default=0)
    problem = f"the best of {len(nodes)} such nodes has {most}: a node pool may have to grow first"
    return Finding(what, None if most >= pods.profile.gpus else problem)


def _unseen(what: str, error: CellwrightError) -> Finding:
    """Return why a check is impossible; no error if this identity lacks a permission that it does not need."""
    if getattr(error.__cause__, "status", None) == 403:
        return Finding(f"{what} (not looked at: this identity may not, and a search need not)", None)
    return Finding(what, str(error))


def _store(pods: TrialPods) -> Finding:
    what = f"the store {pods.store.uri}, from here"
    try:
        store_of(pods.store, seconds=STORE_SECONDS).sizes("preflight")
    except (CellwrightError, OSError) as error:
        return Finding(what, str(error))
    return Finding(what, None)
