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
    """Check that labels are valid, and are not used by NetworkPolicies or controllers."""
    for name, value in labels.items():
        if not LABEL.fullmatch(name) or not LABEL_VALUE.fullmatch(value):
            raise ValueError(f"must be labels as Kubernetes takes them, got {name!r}: {value!r}")
        if is_reserved(name):
            raise ValueError(
                f"must be without those of {', '.join((*RESERVED, *RESERVED_NAMES))}, which identify pods, got "
                f"{name!r}"
            )
    return labels


class ClusterSection(RunnerSection):
    """Common keys of runners on Kubernetes. Each trial is a pod with its own resource profile."""

    is_remote = True
    needs_store = True

    namespace: str | None = None
    """Namespace of the trials; by default, that of the kubeconfig's context or of the search's own pod."""
    image: str | None = None
    """Image of the trials; by default, the released one of this version."""
    resources: Resources | None = None
    """Resources of each trial; by default, those of the steps."""
    retries: int = Field(default=2, ge=0)
    """Number of retries of a trial whose pod was lost, from its last checkpoint. Its own errors are not retried."""
    pending_seconds: PositiveFloat = 600
    """How long a pod may wait for a node or for its image before its trial counts as failed."""
    stall_seconds: PositiveFloat = 900
    """How long the search waits without any event before it gives up with a message."""
    keep_seconds: int = Field(default=3600, ge=0)
    """How long finished Jobs are kept, in seconds."""
    labels: Annotated[dict[str, str], AfterValidator(_are_free)] = {}
    """Additional labels of Experiments, Jobs and pods."""
    delete_on_cancel: bool = True
    """Whether an interrupted search ends its trials. Otherwise they continue, and the next attempt finds them."""
    _owner: str | None = PrivateAttr(default=None)

    def owned_by(self, owner: str) -> Self:
        """Return the section with a label for all objects that the run creates."""
        section = self.model_copy()
        section._owner = owner
        return section

    @property
    def all_labels(self) -> dict[str, str]:
        """Return the user's labels, and the label of the run."""
        return self.labels if self._owner is None else {**self.labels, RUN: self._owner}

    def problem_in_pipeline(self) -> str | None:
        """Require a namespace, since the default is then that of the steps, who may seldom create trials there."""
        if self.namespace is not None:
            return None
        return (
            "namespace is required in a pipeline: by default, trials would run in the namespace of its steps; the "
            "manifests make the namespace cellwright for trials"
        )

    def trial_resources(self, step: Resources) -> Resources:
        """Return the trials' own resources, or the step's."""
        return self.resources or step


class JobsSection(ClusterSection):
    """Trials are plain Kubernetes Jobs, for clusters without Katib."""

    implementation = "cellwright.runners.kubernetes.jobs:JobsRunner"

    kind: Literal["jobs"]


class KatibSection(ClusterSection):
    """Trials are part of a Katib Experiment, visible in Katib's UI; our suggestion service makes the suggestions."""

    implementation = "cellwright.runners.kubernetes.katib:KatibRunner"

    kind: Literal["katib"]
    db_manager: Annotated[str, Form(r"^[\w.-]+:\d+$", "HOST:PORT")] = "katib-db-manager.kubeflow:6789"
    """Address that trials report their metrics to."""
