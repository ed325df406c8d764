"""The `estimators`, `objectives`, `constraints` and `pick` sections: how sampled architectures are scored."""

from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.section import Section
from cellwright.spec.strategy import PositiveFloat, Share

COSTS = ("params", "macs", "depth", "memory_mb")
"""What is known of every architecture, whatever the estimators."""

Proxy = Literal[
    "naswot",
    "zico",
    "expressivity",
    "progressivity",
    "trainability",
    "macs",
    "synflow",
    "swap",
    "params",
]
FUSED: tuple[Proxy, ...] = ("swap", "zico", "expressivity", "progressivity", "trainability", "macs")
"""The zero-cost proxies that are fused unless said otherwise."""


class EstimatorSection(Section):
    """What all estimators share."""

    keep: Share = 1.0
    """Share of the architectures that the next estimator gets to see: the best so far, by this one's score."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """Return what the estimator measures, its score first."""


class ShortTrainingEstimator(EstimatorSection):
    """Trains each architecture from scratch, shorter and smaller than the final network; gives `accuracy`."""

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

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the accuracy on the validation split."""
        return ("accuracy",)


class SharedWeightsEstimator(EstimatorSection):
    """Scores with the weights of one supernet, trained before the search; gives `shared_accuracy`."""

    kind: Literal["shared-weights"]
    epochs: int = Field(default=20, ge=1)
    """Passes over the training split, a random path for each batch."""
    batch_size: int = Field(default=64, ge=2)
    learning_rate: PositiveFloat = 0.05
    score_examples: int = Field(default=1000, ge=1)
    """Validation examples that a score is the accuracy on."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the supernet's accuracy on validation examples, restricted to the architecture."""
        return ("shared_accuracy",)


def _differ(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError(f"must be different ones, got {list(names)}")
    return names


class ZeroCostEstimator(EstimatorSection):
    """Scores untrained networks, smaller than the final one, by how they answer a few images; gives `zero_cost`.

    The score is the mean, over proxies, of the logarithm of the rank among random architectures, from 0 to 1.
    """

    kind: Literal["zero-cost"]
    proxies: Annotated[tuple[Proxy, ...], Field(min_length=1), AfterValidator(_differ)] = FUSED
    """What is fused: the parts of AZ-NAS (its complexity is `macs`), SWAP and ZiCo; or NASWOT, SynFlow, `params`."""
    reference: int = Field(default=50, ge=2)
    """Random architectures that ranks are taken among."""
    batch_size: int = Field(default=16, ge=4)
    """Training images that a network answers."""
    side: int = Field(default=16, ge=4)
    """Largest side of the images; larger ones are shrunk."""
    cells: int = Field(default=2, ge=1)
    """Most cells of each of the three stages, in a space that stacks cells."""
    channels: int = Field(default=8, ge=1)
    """Most channels of the first stage."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the fused score, and the proxies beside the ones that are costs of the final network too."""
        return ("zero_cost", *(name for name in self.proxies if name not in COSTS))


class LatencyEstimator(EstimatorSection):
    """The time of a forward pass of one example through the final network on this device; gives `latency_ms`.

    `latency_ms_at_most` is what constraints are held against: rarely exceeded when measured afresh.
    """

    kind: Literal["latency"]
    keep: Annotated[float, Field(ge=1, le=1)] = 1.0
    """Always 1, since less is better: say `constraints.latency_ms`, or make it an objective."""
    networks: int = Field(default=60, ge=10)
    """Random networks that are measured before the search; others are told from their choices."""
    rounds: int = Field(default=10, ge=5)
    """How often each of them is measured."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the expected time, and what it is at most in 39 of 40 cases."""
        return ("latency_ms", "latency_ms_at_most")


class TabularEstimator(EstimatorSection):
    """Looks NAS-Bench-201's cells up in its table instead of training them; needs the extra `nasbench201`."""

    kind: Literal["tabular"]
    data_set: Literal["cifar10", "cifar100", "imagenet16-120"] = "cifar10"
    """What the table's networks were trained on."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return what the table holds."""
        return ("accuracy", "training_seconds", "latency_ms", "millions_of_params")


class SurrogateEstimator(EstimatorSection):
    """Predicts the accuracy from that of the architectures trained so far; gives `predicted_accuracy`."""

    kind: Literal["surrogate"]
    initial: int = Field(default=20, ge=4)
    """How many must have been trained before it says anything; until then all are let through."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the prediction and how unsure it is."""
        return ("predicted_accuracy", "predicted_accuracy_deviation")


AnyEstimator = Annotated[
    ShortTrainingEstimator
    | SharedWeightsEstimator
    | ZeroCostEstimator
    | LatencyEstimator
    | SurrogateEstimator
    | TabularEstimator,
    Field(discriminator="kind"),
]


class ObjectiveSection(Section):
    """A metric to optimise."""

    metric: str = "accuracy"
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
    """By metric; an objective that is left out counts nothing."""


AnyPick = Annotated[BestPick | KneePick | WithinPick | WeightedPick, Field(discriminator="kind")]
"""Which member of a Pareto front becomes the network."""
