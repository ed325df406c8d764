"""The section of the strategy elastic."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cellwright.spec.section import Section
from cellwright.spec.strategy import PositiveFloat, PositiveShare, StrategySection

Limits = tuple[PositiveFloat, ...]


class Targets(Section):
    """The upper limits that networks are cut for: one for each limit of one metric. The first one is registered."""

    latency_ms: Limits = ()
    """Latency of a forward pass for one example on this device, in milliseconds."""
    params: Limits = ()
    """Trainable parameters."""
    macs: Limits = ()
    """Multiply-accumulates for one example."""

    @model_validator(mode="after")
    def _are_of_one_metric(self) -> Self:
        given = [name for name in ("latency_ms", "params", "macs") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"must have limits of one metric: latency_ms, params or macs, got {given or 'none'}"
            )
        if len(set(self.limits)) != len(self.limits):
            raise ValueError(f"{self.metric} must have different limits, got {list(self.limits)}")
        return self

    @property
    def metric(self) -> Literal["latency_ms", "params", "macs"]:
        """Return the metric that is limited."""
        return "latency_ms" if self.latency_ms else "params" if self.params else "macs"

    @property
    def limits(self) -> Limits:
        """Return the limits, in the user's order."""
        limits: Limits = getattr(self, self.metric)
        return limits


class ElasticSection(StrategySection):
    """Trains one network of the space `stages` so that smaller ones can be cut out of it without training them.

    Once for all, https://arxiv.org/abs/1908.09791, with the sandwich rule and in-place distillation of BigNAS,
    https://arxiv.org/abs/2003.11142.
    """

    implementation = "cellwright.strategies.one_shot.elastic.training:ElasticTraining"

    cuts = True

    kind: Literal["elastic"]
    targets: Targets
    """What networks are cut for."""
    alone: PositiveShare = 0.35
    """Share of the training time in which the largest network learns alone."""
    drawn: int = Field(default=2, ge=0)
    """Random parts that each later step trains, beside the largest network and the smallest."""
    evaluations: Annotated[int, Field(ge=4)] = 60
    """Maximum number of parts that are scored for each target; fewer if a tenth of the budget is not enough."""
