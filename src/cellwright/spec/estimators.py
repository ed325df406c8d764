"""The `estimators`, `objectives`, `constraints` and `runner` sections: how sampled architectures are scored."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cellwright.spec._section import Section
from cellwright.spec.platform import Memory, count_bytes
from cellwright.spec.strategy import PositiveFloat, Share


class EstimatorSection(Section):
    """What all estimators share."""

    metrics: ClassVar[tuple[str, ...]]
    """What the estimator measures, its score first."""
    keep: Share = 1.0
    """Share of the architectures that the next estimator gets to see: the best so far, by this one's score."""


class ShortTrainingEstimator(EstimatorSection):
    """Trains each architecture from scratch, shorter and smaller than the final network; gives `accuracy`."""

    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    kind: Literal["short-training"] = "short-training"
    epochs: int = Field(default=10, ge=1)
    data: Share = 1.0
    """Share of the training split."""
    resolution: Share = 1.0
    """Share of the images' side."""
    channels: Share = 1.0
    """Share of the space's channels."""
    median_stopping: int | None = Field(default=5, ge=1)
    """Stop where the accuracy of an epoch is below the median of the earlier architectures' at that epoch, once there
    are as many of them; null for never."""


class TabularEstimator(EstimatorSection):
    """Looks NAS-Bench-201's cells up in its table instead of training them; needs the extra `nasbench201`."""

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "training_seconds", "latency_ms", "millions_of_params")
    kind: Literal["tabular"]
    data_set: Literal["cifar10", "cifar100", "imagenet16-120"] = "cifar10"
    """What the table's networks were trained on."""


AnyEstimator = Annotated[ShortTrainingEstimator | TabularEstimator, Field(discriminator="kind")]


class ObjectiveSection(Section):
    """A metric to optimise."""

    metric: str = "accuracy"
    direction: Literal["maximize", "minimize"] = "maximize"


class Constraints(Section):
    """Upper limits; an architecture beyond one is never trained."""

    params: PositiveFloat | None = None
    """Trainable parameters of the final network."""
    macs: PositiveFloat | None = None
    """Multiply-accumulates of one example in the final network."""
    depth: PositiveFloat | None = None
    """Learning operations on the longest path through the final network."""
    latency_ms: PositiveFloat | None = None
    """Median time of a warm forward pass of one example on this device."""
    memory_mb: PositiveFloat | None = None
    """Peak of a forward pass of one example."""


class LocalRunner(Section):
    """Trials are processes on this machine."""

    kind: Literal["local"] = "local"
    parallel: int = Field(default=1, ge=1)
    """Trials at a time, each with an equal share of the step's CPUs."""
    max_seconds: PositiveFloat | None = None
    """Time limit of a trial."""
    max_memory: Memory | None = None
    """Memory limit of a trial."""

    @property
    def max_memory_bytes(self) -> int | None:
        """Return the memory limit in bytes."""
        return None if self.max_memory is None else count_bytes(self.max_memory)


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
    """By metric; an objective that is left out counts nothing."""


AnyPick = Annotated[BestPick | KneePick | WithinPick | WeightedPick, Field(discriminator="kind")]
"""Which member of a Pareto front becomes the network."""
