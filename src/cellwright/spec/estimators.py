"""The `estimators`, `objectives`, `constraints` and `pick` sections: how sampled architectures are scored."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cellwright.spec.section import Section
from cellwright.spec.strategy import PositiveFloat, PositiveShare

COSTS = ("params", "macs", "depth", "memory_mb")
"""Metrics of every architecture, without any estimator."""


class EstimatorSection(Section):
    """Common keys of all estimators."""

    implementation: ClassVar[str]
    """Import path of the estimator's class."""

    kind: str
    keep: PositiveShare = 1.0
    """Fraction of the architectures that are passed to the next estimator, ranked by this one's score."""

    @abstractmethod
    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the estimator's metrics, its score first, given the name of the task's objective."""

    def runs_in_trials(self, *, is_remote: bool) -> bool:
        """Return whether estimates are too slow for the search's process, so that each one is a trial."""
        return False


class ObjectiveSection(Section):
    """A metric to optimise."""

    metric: str
    """A metric of an estimator, or a cost. The task's objective is `accuracy` for images."""
    direction: Literal["maximize", "minimize"] = "maximize"
    """Whether more of the metric is better, or less."""
    goal: float | None = None
    """Stop the search once the first objective reaches this value."""


class Constraints(Section):
    """Upper limits; an architecture that exceeds one is never trained."""

    params: PositiveFloat | None = None
    """Trainable parameters of the final network."""
    macs: PositiveFloat | None = None
    """Multiply-accumulates of one example in the final network."""
    depth: PositiveFloat | None = None
    """Convolutions and linear layers on the longest path through the final network."""
    latency_ms: PositiveFloat | None = None
    """Median latency of a warm forward pass for one example on this device."""
    memory_mb: PositiveFloat | None = None
    """Peak memory of the final network's forward pass for one example, including weights, in 10⁶ bytes."""


class BestPick(Section):
    """The best member by the first objective."""

    kind: Literal["best"] = "best"


class KneePick(Section):
    """The member of the Pareto front closest to the best in every objective, each scaled to the front's range."""

    kind: Literal["knee"]


class WithinPick(Section):
    """The best member of the Pareto front, by the first objective, within limits on all objectives."""

    kind: Literal["within"]
    limits: dict[str, float] = Field(min_length=1)
    """Limits by metric: maxima for minimised objectives, minima for maximised ones."""


class WeightedPick(Section):
    """The member with the largest weighted sum of objectives, each scaled to the front's range."""

    kind: Literal["weighted"]
    weights: dict[str, PositiveFloat] = Field(min_length=1)
    """Weights by metric; an omitted objective has weight 0."""


AnyPick = Annotated[BestPick | KneePick | WithinPick | WeightedPick, Field(discriminator="kind")]
"""Which member of a Pareto front becomes the network."""
