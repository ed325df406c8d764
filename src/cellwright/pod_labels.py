"""Labels of what runs on a cluster."""

SEARCH = "cellwright.dev/search"
"""The search's name, on Experiments, Jobs and trials' pods."""
TRIAL = "cellwright.dev/trial"
"""`NUMBER-REPEAT`, on a trial's Job and pod."""
RUN = "cellwright.dev/run"
"""The pipeline's run that a search belongs to."""
STEP = "cellwright.dev/step"
"""The step's name, on a pod of a pipeline's run."""

RESERVED = ("cellwright.dev", "kubeflow.org", "kubernetes.io", "k8s.io")
"""Domains, with those below them, whose labels say what a pod is: NetworkPolicies and controllers go by them."""
RESERVED_NAMES = ("controller-uid", "job-name", "pod-template-hash")
"""The same of labels without a domain, which Kubernetes' own controllers set."""


def is_reserved(label: str) -> bool:
    """Return whether a label is not for users to set."""
    domain, _, name = label.rpartition("/")
    return any(f".{domain}".endswith(f".{own}") for own in RESERVED) or (
        not domain and name in RESERVED_NAMES
    )
