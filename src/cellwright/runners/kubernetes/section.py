"""The `runner` sections of runners on Kubernetes."""

from typing import Annotated, Literal, Self

from pydantic import Field

from cellwright.pod_labels import RUN
from cellwright.spec import Resources, RunnerSection
from cellwright.spec.form import Form
from cellwright.spec.strategy import PositiveFloat


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
    labels: dict[str, str] = {}
    """Labels of Experiments, Jobs and pods beside those that say which search they belong to."""
    delete_on_cancel: bool = True
    """Whether an interrupted search ends its trials; otherwise they continue, and the next attempt finds them."""

    def owned_by(self, owner: str) -> Self:
        """Return the section with a label for all that the run creates."""
        return self.model_copy(update={"labels": {**self.labels, RUN: owner}})

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
