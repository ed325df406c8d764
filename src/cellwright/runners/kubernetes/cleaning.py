"""Deletes the remains of a search that could not clean up itself."""

from cellwright.runners.kubernetes.api import Cluster
from cellwright.runners.kubernetes.experiment import GROUP, VERSION


def delete_unfinished(cluster: Cluster, label: str, *, with_katib: bool) -> list[str]:
    """Delete the unfinished Experiments and Jobs with the label, and their pods; return their names.

    A finished Experiment has no Suggestion any more, and is kept for inspection.

    Args:
        cluster: the cluster and namespace.
        label: the label as `NAME=VALUE`.
        with_katib: whether to look for Experiments.
    """
    deleted: list[str] = []
    objects, batch, namespace = cluster.objects, cluster.batch, cluster.namespace
    kinds = (GROUP, VERSION, namespace)
    if with_katib:
        listed = cluster.ask(
            objects.list_namespaced_custom_object, *kinds, "experiments", label_selector=label
        )
        for name in (item["metadata"]["name"] for item in listed["items"]):
            if cluster.find(objects.get_namespaced_custom_object, *kinds, "suggestions", name) is not None:
                cluster.find(objects.delete_namespaced_custom_object, *kinds, "experiments", name)
                deleted.append(f"Experiment {namespace}/{name}")
    for job in cluster.ask(batch.list_namespaced_job, namespace, label_selector=label).items:
        if not any(condition.status == "True" for condition in job.status.conditions or ()):
            name = job.metadata.name
            cluster.find(batch.delete_namespaced_job, name, namespace, propagation_policy="Background")
            deleted.append(f"Job {namespace}/{name}")
    return deleted
