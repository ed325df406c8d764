"""The `runner` sections of runners on Kubernetes."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr

from cellwright.pod_labels import RESERVED, RESERVED_NAMES, RUN, is_reserved
from cellwright.spec import Resources, RunnerSection
from cellwright.spec.form import Form
from cellwright.spec.strategy import PositiveFloat

LABEL = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?", re.ASCII)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?", re.ASCII)


def _are_free(labels: dict[str, str]) -> dict[str, str]:
    """Require labels as Kubernetes takes them that open no NetworkPolicy and that no controller goes by."""
    for name, value in labels.items():
        if not LABEL.fullmatch(name) or not LABEL_VALUE.fullmatch(value):
            raise ValueError(f"must be labels as Kubernetes takes them, got {name!r}: {value!r}")
        if is_reserved(name):
            raise ValueError(
                f"must be without those of {', '.join((*RESERVED, *RESERVED_NAMES))}, which say what a pod is, got "
                f"{name!r}"
            )
    return labels


class ClusterSection(RunnerSection):
    """What runners on Kubernetes share: each trial is a pod with a resource profile of its own."""

    is_remote = True
    needs_store = True

    namespace: str | None = None
    """Where trials run; by default the namespace of the kubeconfig's context, or of the search's own pod."""
    image: str | None = None
    """Image of the trials; by default the released one of this version."""
    resources: Resources | None = None
    """Profile of each trial; by default that of the steps."""
    retries: int = Field(default=2, ge=0)
    """How often a trial whose pod was lost is retried, from its last checkpoint. Its own errors are not retried."""
    pending_seconds: PositiveFloat = 600
    """How long a pod may be unable to start, for want of a node or of its image, before its trial counts as failed."""
    stall_seconds: PositiveFloat = 900
    """How long nothing at all may happen before the search gives up and says what it waits for."""
    keep_seconds: int = Field(default=3600, ge=0)
    """How long finished Jobs are kept."""
    labels: Annotated[dict[str, str], AfterValidator(_are_free)] = {}
    """Labels of Experiments, Jobs and pods beside those that say which search they belong to."""
    delete_on_cancel: bool = True
    """Whether an interrupted search ends its trials; otherwise they continue, and the next attempt finds them."""
    _owner: str | None = PrivateAttr(default=None)

    def owned_by(self, owner: str) -> Self:
        """Return the section with a label for all that the run creates."""
        section = self.model_copy()
        section._owner = owner
        return section

    @property
    def all_labels(self) -> dict[str, str]:
        """Return the user's labels, and that of the run which creates what has them."""
        return self.labels if self._owner is None else {**self.labels, RUN: self._owner}

    def trial_resources(self, step: Resources) -> Resources:
        """Return the trials' own profile, or the step's."""
        return self.resources or step


class JobsSection(ClusterSection):
    """Trials are plain Kubernetes Jobs, for clusters without Katib."""

    implementation = "cellwright.runners.kubernetes.jobs:JobsRunner"

    kind: Literal["jobs"]


class KatibSection(ClusterSection):
    """Trials are those of one Katib Experiment, which Katib's page shows; our suggestion service proposes."""

    implementation = "cellwright.runners.kubernetes.katib:KatibRunner"

    kind: Literal["katib"]
    db_manager: Annotated[str, Form(r"^[\w.-]+:\d+$", "HOST:PORT")] = "katib-db-manager.kubeflow:6789"
    """Where trials report their metrics."""
