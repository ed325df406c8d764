"""Labels of Kubernetes objects."""

SEARCH = "cellwright.dev/search"
"""The search's name, on Experiments, Jobs and pods of trials."""
TRIAL = "cellwright.dev/trial"
"""`NUMBER-REPEAT`, on a trial's Job and pod."""
RUN = "cellwright.dev/run"
"""The pipeline run of a search."""
STEP = "cellwright.dev/step"
"""The step's name, on a pod of a pipeline run."""

RESERVED = ("cellwright.dev", "kubeflow.org", "kubernetes.io", "k8s.io")
"""Domains, including subdomains, of labels that NetworkPolicies and controllers use."""
RESERVED_NAMES = ("controller-uid", "job-name", "pod-template-hash")
"""Labels without a domain that Kubernetes' own controllers set."""


def is_reserved(label: str) -> bool:
    """Return whether users may not set the label."""
    domain, _, name = label.rpartition("/")
    return any(f".{domain}".endswith(f".{own}") for own in RESERVED) or (
        not domain and name in RESERVED_NAMES
    )
