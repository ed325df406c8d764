"""The `runner` section: where trials run."""

from typing import Any, ClassVar, Self

from pydantic import Field

from cellwright.spec.platform import Resources
from cellwright.spec.section import DeployedSection
from cellwright.spec.strategy import PositiveFloat


class RunnerSection(DeployedSection):
    """What all runners share."""

    implementation: ClassVar[str]
    """The import path of the runner's class."""
    is_remote: ClassVar[bool] = False
    """Whether trials run on other machines than the search."""
    needs_store: ClassVar[bool] = False
    """Whether trials find what they read, and leave what they found, in the spec's store."""

    kind: str

    parallel: int = Field(default=1, ge=1)
    """Trials at a time."""
    max_seconds: PositiveFloat | None = None
    """Time limit of a trial."""
    max_failures: int | None = Field(default=None, ge=0)
    """Trials that may fail before the search gives up; null for any number."""

    @property
    def limits(self) -> dict[str, Any]:
        """Return the limits of trials, which decide what fails."""
        return {"parallel": self.parallel, "max_seconds": self.max_seconds}

    def owned_by(self, owner: str) -> Self:
        """Return the section of a runner that marks what it creates as the run's of that name, to be cleaned up."""
        return self

    def trial_resources(self, step: Resources) -> Resources:
        """Return what one trial may use, where the search's step may use `step`."""
        share = max(1, step.threads // self.parallel)
        return step.model_copy(update={"cpu": str(share)})
