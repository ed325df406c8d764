"""The `strategy` and `budget` sections: how architectures are found, and at what cost."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cellwright.spec.section import Section

PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Precision = Literal["auto", "float32", "bfloat16"]


class StrategySection(Section):
    """What all strategies share."""

    implementation: ClassVar[str]
    """The import path of the strategy's class."""
    is_sampled: ClassVar[bool] = False
    """Whether architectures are evaluated one by one, rather than in one supernet."""
    continues: ClassVar[bool] = False
    """Whether it trains networks itself, in slices, and `retrain` continues with the best of them."""

    kind: str


class OneShotSection(StrategySection):
    """What all one-shot strategies share: how the supernet's weights are trained."""

    batch_size: int = Field(default=64, ge=2)
    learning_rate: PositiveFloat = 0.05
    """Of the network weights, by SGD with momentum, falling to 0 along a cosine."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: NonNegativeFloat = 3e-4
    gradient_clip: PositiveFloat = 5.0
    precision: Precision = "auto"
    """auto is bfloat16 where it is faster (GPUs from Ampere on), else float32; scores are in float32."""
    cuda_graphs: bool = True
    """Whether a GPU may replay steps that compute every choice as CUDA graphs, which takes more of its memory."""
    score_examples: int = Field(default=1000, ge=1)
    """Validation examples on which candidates are compared once the weights are trained; all, where there are fewer."""

    @property
    def mixed_fraction(self) -> float:
        """Return the share of the channels that the supernet must send through its primitives."""
        return 1.0


class Guard(Section):
    """What is done when a search collapses."""

    action: Literal["stop", "regularise", "off"] = "stop"
    """Go back to the last good epoch and stop, or reset the alphas where there is none; raise the alphas'
    regularisation and continue; or only report."""
    max_skip_fraction: float = Field(default=0.8, ge=0, le=1)
    """More skip connections than this share of the derived edges are a collapse."""
    max_drop: Share | None = None
    """Most that the objective on validation may fall from the supernet to the derived network with its weights."""
    max_gap: Share | None = None
    """Most that the objective may fall from training to validation batches."""
    strength: PositiveFloat = 5.0
    """By how much `regularise` raises the weight of the β regularisation each time."""


class AlphaSection(OneShotSection):
    """What strategies with architecture parameters (alphas) share."""

    level: Literal["single", "bilevel"] = "bilevel"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel)."""
    alpha_learning_rate: PositiveFloat = 3e-3
    """Of the architecture parameters, by Adam."""
    alpha_weight_decay: NonNegativeFloat = 1e-3
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of the epochs, those at the start, in which only the weights learn."""
    derivation: Literal["argmax", "perturbation"] = "argmax"
    """Take the strongest choices, or those without which the supernet does worst: https://arxiv.org/abs/2108.04392."""
    tuning_steps: int = Field(default=10, ge=0)
    """Weight steps between the decisions of a derivation by perturbation."""
    guard: Guard = Guard()


class AshaScheduler(Section):
    """ASHA: https://arxiv.org/abs/1810.05934. Many architectures are evaluated a little, the best of them more."""

    kind: Literal["asha"] = "asha"
    rungs: int = Field(default=3, ge=2)
    """How many fidelities there are; the last is the full one."""
    reduction: float = Field(default=3.0, gt=1)
    """One in so many is promoted from each rung to the next, where it is trained on so many times as much."""
    spends: Literal["epochs", "data", "resolution", "channels"] = "epochs"
    """What grows from rung to rung."""


class SampledSection(StrategySection):
    """What all sampled strategies share."""

    is_sampled = True

    scheduler: AshaScheduler | None = None
    """Fidelities that suggestions are evaluated at; null for the full one alone."""


class Budget(Section):
    """What the search may cost in total."""

    epochs: int = Field(default=20, ge=1)
    """Passes over the training split, of a one-shot search."""
    seeds: int = Field(default=1, ge=1)
    """Number of one-shot searches, each from another seed; the best on validation is taken."""
    evaluations: int = Field(default=50, ge=1)
    """Architectures that a sampled search tries; those that are infeasible or pruned untrained do not count."""
    finalists: int = Field(default=3, ge=1)
    """Best architectures of a sampled search that are scored again before one of them is called best."""
    fresh_seeds: int = Field(default=2, ge=1)
    """How often each finalist is scored again."""
    minutes: PositiveFloat | None = None
    """Time for search and final training together, at the speed of the device that was measured before: of a race, by
    default 10. Its results do not depend on the clock."""
    gpu_hours: PositiveFloat | None = None
    """The same in hours, in place of minutes."""
    max_seconds: PositiveFloat | None = None
    """Wall time after which no further epoch or trial starts. Results then depend on the machine's speed."""

    @model_validator(mode="after")
    def _is_one_time(self) -> Self:
        if self.minutes is not None and self.gpu_hours is not None:
            raise ValueError(f"minutes must be left out where there are gpu_hours, got {self.minutes:g}")
        return self

    @property
    def seconds(self) -> float | None:
        """Return the time of search and final training together; None if it is not limited."""
        if self.gpu_hours is not None:
            return 3600 * self.gpu_hours
        return None if self.minutes is None else 60 * self.minutes
