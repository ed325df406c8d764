"""The `runner` and `store` sections: where trials run, and where clusters keep what they read and write."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cellwright.spec.platform import Memory, Resources, count_bytes
from cellwright.spec.section import Section
from cellwright.spec.strategy import PositiveFloat


class RunnerSection(Section):
    """What all runners share."""

    parallel: int = Field(default=1, ge=1)
    """Trials at a time."""
    max_seconds: PositiveFloat | None = None
    """Time limit of a trial."""
    max_failures: int | None = Field(default=None, ge=0)
    """Trials that may fail before the search gives up; null for any number."""


class LocalRunner(RunnerSection):
    """Trials are processes on this machine, each with an equal share of the step's CPUs."""

    kind: Literal["local"] = "local"
    max_memory: Memory | None = None
    """Memory limit of a trial."""

    @property
    def max_memory_bytes(self) -> int | None:
        """Return the memory limit in bytes."""
        return None if self.max_memory is None else count_bytes(self.max_memory)


class ClusterRunner(RunnerSection):
    """What runners on Kubernetes share: each trial is a pod with a resource profile of its own."""

    namespace: str | None = None
    """Where trials run; the namespace of the kubeconfig's context, or of the search's own pod, unless said."""
    image: str | None = None
    """Image of the trials; the released one of this version unless said."""
    resources: Resources | None = None
    """Profile of each trial; that of the steps unless said."""
    retries: int = Field(default=2, ge=0)
    """How often a trial whose pod was lost is begun again, from its last checkpoint. Mistakes are not tried again."""
    pending_seconds: PositiveFloat = 600
    """How long a pod may be unable to start, for want of a node or of its image, before its trial counts as failed."""
    stall_seconds: PositiveFloat = 900
    """How long nothing at all may happen before the search gives up and says what it waits for."""
    keep_seconds: int = Field(default=3600, ge=0)
    """How long finished Jobs stay to be looked at."""
    labels: dict[str, str] = {}
    """Labels of Experiments, Jobs and pods beside those that say which search they belong to."""
    delete_on_cancel: bool = True
    """Whether an interrupted search takes its trials along; otherwise they go on, and the next attempt finds them."""


class JobsRunner(ClusterRunner):
    """Trials are plain Kubernetes Jobs, for clusters without Katib."""

    kind: Literal["jobs"]


class KatibRunner(ClusterRunner):
    """Trials are those of one Katib Experiment, which Katib's page shows; our suggestion service proposes."""

    kind: Literal["katib"]
    db_manager: str = Field(default="katib-db-manager.kubeflow:6789", pattern=r"^[\w.-]+:\d+$")
    """Where trials report their metrics."""


def _local_unless_said(section: Any) -> Any:
    return {"kind": "local", **section} if isinstance(section, dict) else section


AnyRunner = Annotated[
    Annotated[LocalRunner | JobsRunner | KatibRunner, Field(discriminator="kind")],
    BeforeValidator(_local_unless_said),
]


class Store(Section):
    """What the steps and trials of a cluster share: prepared data, requests, checkpoints and results."""

    uri: str = Field(pattern=r"^(s3://[a-z0-9.-]+(/.*[^/])?|/.*[^/])$")
    """`s3://BUCKET/PREFIX`, or an absolute path on a volume that all mount."""
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    """S3 endpoint as pods see it; Amazon's unless said. AWS_ENDPOINT_URL overrules it for this process."""
    secret: str | None = None
    """Kubernetes Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the pods' identity unless said."""
    claim: str | None = None
    """PersistentVolumeClaim that pods mount at the path."""

    @model_validator(mode="after")
    def _has_a_claim_for_a_path(self) -> Self:
        if self.uri.startswith("/") != (self.claim is not None):
            raise ValueError(
                f"claim must be said for a path and for nothing else, got {self.claim} and {self.uri}"
            )
        return self
