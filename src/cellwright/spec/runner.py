"""The `runner` section: where trials run."""

from typing import Any, ClassVar, Self

from pydantic import Field

from cellwright.spec.platform import Resources
from cellwright.spec.section import DeployedSection
from cellwright.spec.strategy import PositiveFloat


class RunnerSection(DeployedSection):
    """Common keys of all runners."""

    implementation: ClassVar[str]
    """Import path of the runner's class."""
    is_remote: ClassVar[bool] = False
    """Whether trials run on other machines than the search."""
    needs_store: ClassVar[bool] = False
    """Whether trials read and write files in the spec's store."""

    kind: str

    parallel: int = Field(default=1, ge=1)
    """Number of parallel trials."""
    max_seconds: PositiveFloat | None = None
    """Time limit of a trial."""
    max_failures: int | None = Field(default=None, ge=0)
    """Number of failed trials before the search gives up; null for unlimited."""

    @property
    def limits(self) -> dict[str, Any]:
        """Return the limits of trials, which determine what fails."""
        return {"parallel": self.parallel, "max_seconds": self.max_seconds}

    def owned_by(self, owner: str) -> Self:
        """Return the section of a runner that marks what it creates with the owning run, for cleaning up."""
        return self

    def problem_in_pipeline(self) -> str | None:
        """Return what the section lacks where the search is a step of a pipeline, starting with the key; else None."""
        return None

    def trial_resources(self, step: Resources) -> Resources:
        """Return the resources of one trial, given those of the search's step."""
        share = max(1, step.threads // self.parallel)
        return step.model_copy(update={"cpu": str(share)})
