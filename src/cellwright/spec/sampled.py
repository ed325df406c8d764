"""The `strategy` sections of sampled search, which evaluates architectures one by one."""

from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec.section import Section

Probability = Annotated[float, Field(ge=0, le=1)]


class AshaScheduler(Section):
    """ASHA: https://arxiv.org/abs/1810.05934. Many architectures are evaluated a little, the best of them more."""

    kind: Literal["asha"] = "asha"
    rungs: int = Field(default=3, ge=2)
    """How many fidelities there are; the last is the full one."""
    reduction: float = Field(default=3.0, gt=1)
    """One in so many goes on from each rung to the next, where so many times as much is spent on it."""
    spends: Literal["epochs", "data", "resolution", "channels"] = "epochs"
    """Of what there is more from rung to rung."""


class SampledSection(Section):
    """What all sampled strategies share."""

    scheduler: AshaScheduler | None = None
    """How thoroughly each suggestion is evaluated; null for in full."""


class RandomSearchStrategy(SampledSection):
    """Random search: the baseline."""

    kind: Literal["random"]


class RegularizedEvolutionStrategy(SampledSection):
    """Regularized evolution: https://arxiv.org/abs/1802.01548."""

    kind: Literal["regularized-evolution"]
    population: int = Field(default=10, ge=2)
    """The youngest architectures, from which the next is bred."""
    sample: int = Field(default=5, ge=1)
    """How many of them are drawn; the best of these is mutated."""


class LocalSearchStrategy(SampledSection):
    """Local search: https://arxiv.org/abs/2005.02960."""

    kind: Literal["local-search"]
    initial: int = Field(default=20, ge=1)
    """Architectures that are drawn before the neighbours of the best are tried."""


class ReinforceStrategy(SampledSection):
    """A policy that learns by REINFORCE: https://arxiv.org/abs/1611.01578, without the recurrent network."""

    kind: Literal["reinforce"]
    learning_rate: float = Field(default=0.3, gt=0)
    """Of the policy's logits, for a reward of one standard deviation."""
    baseline_decay: float = Field(default=0.9, ge=0, lt=1)
    """Of the moving mean of scores, above which a score is a reward."""


class PredictorStrategy(SampledSection):
    """Predictor-guided mutation: a Gaussian process over the cells' paths, and Thompson sampling."""

    kind: Literal["predictor"]
    initial: int = Field(default=10, ge=2)
    """Architectures that are drawn before there is a predictor."""


class Nsga2Strategy(SampledSection):
    """NSGA-II, for several objectives: https://doi.org/10.1109/4235.996017."""

    kind: Literal["nsga2"]
    population: int = Field(default=20, ge=2)
    crossover: Probability = 0.5
    """How often a child has two parents."""
    mutation: Probability = 0.8
    """How often a child is mutated; one that is known already always is."""


AnySampled = Annotated[
    RandomSearchStrategy
    | RegularizedEvolutionStrategy
    | LocalSearchStrategy
    | ReinforceStrategy
    | PredictorStrategy
    | Nsga2Strategy,
    Field(discriminator="kind"),
]
