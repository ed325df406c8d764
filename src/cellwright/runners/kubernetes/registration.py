"""Registers our suggestion service with Katib, whose configuration is a YAML text in a ConfigMap."""

from datetime import UTC, datetime
from typing import Any

import yaml

from cellwright.errors import CellwrightError
from cellwright.katib.settings import ALGORITHMS
from cellwright.runners.kubernetes.api import Cluster
from cellwright.spec import STRATEGIES

CONFIG_MAP, CONFIG_KEY, CONTROLLER = "katib-config", "katib-config.yaml", "katib-controller"
MEMORY = "256Mi"
"""Memory of the service. Katib's default of 100Mi is too little, and a killed service reports nothing."""


def algorithm_names() -> list[str]:
    """Return Katib's names for the strategies that it can run: all that neither train in slices nor cut networks."""
    sections = {kind: STRATEGIES.section_type(kind) for kind in sorted(STRATEGIES.kinds)}
    return [
        ALGORITHMS + kind for kind, section in sections.items() if not (section.continues or section.cuts)
    ]


def entry(algorithm: str, image: str) -> dict[str, Any]:
    """Return the service's entry in Katib's configuration; its pod meets the Pod Security level `restricted`."""
    return {
        "algorithmName": algorithm,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "50m", "memory": MEMORY}, "limits": {"cpu": "1", "memory": MEMORY}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def register_suggestions(cluster: Cluster, image: str) -> bool:
    """Add our algorithms to the configuration of the Katib in the cluster's namespace, and make Katib reload it.

    Returns:
        Whether anything was changed.
    """
    config = read_config(cluster)
    runtime = config.setdefault("runtime", {})
    others = [s for s in runtime.get("suggestions", ()) if not s["algorithmName"].startswith(ALGORITHMS)]
    wanted = others + [entry(name, image) for name in algorithm_names()]
    if wanted == runtime.get("suggestions"):
        return False
    runtime["suggestions"] = wanted
    text = yaml.safe_dump(config, sort_keys=False)
    cluster.ask(
        cluster.core.patch_namespaced_config_map, CONFIG_MAP, cluster.namespace, {"data": {CONFIG_KEY: text}}
    )
    restarted = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat()}
    cluster.ask(
        cluster.apps.patch_namespaced_deployment,
        CONTROLLER,
        cluster.namespace,
        {"spec": {"template": {"metadata": {"annotations": restarted}}}},
    )
    return True


def read_config(cluster: Cluster) -> dict[str, Any]:
    """Return Katib's configuration.

    Raises:
        CellwrightError: there is no Katib in the cluster's namespace.
    """
    found = cluster.find(cluster.core.read_namespaced_config_map, CONFIG_MAP, cluster.namespace)
    if found is None:
        raise CellwrightError(
            f"Katib must be installed in {cluster.namespace}: no ConfigMap {CONFIG_MAP} is there"
        )
    return dict(yaml.safe_load(found.data[CONFIG_KEY]))
