"""The `estimators`, `objectives`, `constraints` and `pick` sections: how sampled architectures are scored."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cellwright.spec.section import Section
from cellwright.spec.strategy import PositiveFloat, Share

COSTS = ("params", "macs", "depth", "memory_mb")
"""What is known of every architecture, whatever the estimators."""


class EstimatorSection(Section):
    """What all estimators share."""

    implementation: ClassVar[str]
    """The import path of the estimator's class."""

    kind: str
    keep: Share = 1.0
    """Share of the architectures that the next estimator gets to see: the best so far, by this one's score."""

    @abstractmethod
    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return what the estimator measures, its score first, where the task's objective is called so."""

    def runs_in_trials(self, *, is_remote: bool) -> bool:
        """Return whether it takes so long that each estimate is a trial, where trials are remote or not."""
        return False


class ObjectiveSection(Section):
    """A metric to optimise."""

    metric: str
    """What an estimator measures, or a cost; the task's own is `accuracy` for images."""
    direction: Literal["maximize", "minimize"] = "maximize"
    goal: float | None = None
    """Value of the first objective at which the search has found enough and stops."""


class Constraints(Section):
    """Upper limits; an architecture beyond one is never trained."""

    params: PositiveFloat | None = None
    """Trainable parameters of the final network."""
    macs: PositiveFloat | None = None
    """Multiply-accumulates of one example in the final network."""
    depth: PositiveFloat | None = None
    """Convolutions and linear layers on the longest path through the final network."""
    latency_ms: PositiveFloat | None = None
    """Median time of a warm forward pass of one example on this device."""
    memory_mb: PositiveFloat | None = None
    """Peak of a forward pass of one example through the final network, 10⁶ bytes, weights included."""


class BestPick(Section):
    """The best by the first objective."""

    kind: Literal["best"] = "best"


class KneePick(Section):
    """The member of the Pareto front nearest to the best of every objective, each scaled to the front's range."""

    kind: Literal["knee"]


class WithinPick(Section):
    """The best by the first objective among those of the Pareto front within limits."""

    kind: Literal["within"]
    limits: dict[str, float] = Field(min_length=1)
    """Largest value of each objective's metric that is minimised, smallest of one that is maximised."""


class WeightedPick(Section):
    """The largest weighted sum of objectives, each scaled to the front's range."""

    kind: Literal["weighted"]
    weights: dict[str, PositiveFloat] = Field(min_length=1)
    """By metric; an omitted objective has weight 0."""


AnyPick = Annotated[BestPick | KneePick | WithinPick | WeightedPick, Field(discriminator="kind")]
"""Which member of a Pareto front becomes the network."""
