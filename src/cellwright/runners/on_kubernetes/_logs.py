"""What a pod has written."""

from cellwright.runners.on_kubernetes._api import Cluster


def read_log(cluster: Cluster, selector: str, container: str) -> str:
    """Return the log of the newest pod that the label selector names; empty where there is none."""
    pods = cluster.ask(cluster.core.list_namespaced_pod, cluster.namespace, label_selector=selector).items
    if not pods:
        return ""
    newest = max(pods, key=lambda pod: pod.metadata.creation_timestamp)
    return str(
        cluster.ask(
            cluster.core.read_namespaced_pod_log,
            newest.metadata.name,
            cluster.namespace,
            container=container,
        )
    )
