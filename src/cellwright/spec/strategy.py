"""The `strategy` and `budget` sections: how to search, and the cost limits."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cellwright.spec.section import Section

PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Precision = Literal["auto", "float32", "bfloat16"]


class StrategySection(Section):
    """Common keys of all strategies."""

    implementation: ClassVar[str]
    """Import path of the strategy's class."""
    is_sampled: ClassVar[bool] = False
    """Whether architectures are evaluated one by one, not in one supernet."""
    continues: ClassVar[bool] = False
    """Whether the strategy trains networks itself, in slices, and `retrain` continues with the best one."""

    cuts: ClassVar[bool] = False
    """Whether the strategy cuts networks for several targets out of one trained network, which `retrain` exports."""

    kind: str


class OneShotSection(StrategySection):
    """Common keys of all one-shot strategies: how the supernet's weights are trained."""

    batch_size: int = Field(default=64, ge=2)
    """Examples in each step of the supernet."""
    learning_rate: PositiveFloat = 0.05
    """Learning rate of the network weights, for SGD with momentum, which decays to 0 along a cosine."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of SGD."""
    weight_decay: NonNegativeFloat = 3e-4
    """Decay of the network weights."""
    gradient_clip: PositiveFloat = 5.0
    """Maximum norm of the gradient of the network weights; a longer one is scaled down to it."""
    precision: Precision = "auto"
    """`auto` is bfloat16 if it is faster (GPUs since Ampere), otherwise float32. Scores are computed in float32."""
    cuda_graphs: bool = True
    """Whether a GPU may replay steps that compute all choices as CUDA graphs, which use more of its memory."""
    score_examples: int = Field(default=1000, ge=1)
    """Maximum number of validation examples for comparing candidates after training."""

    @property
    def mixed_fraction(self) -> float:
        """Return the fraction of the channels that go through the supernet's primitives."""
        return 1.0


class Guard(Section):
    """Detection of a collapsed search, and the reaction to it."""

    action: Literal["stop", "regularise", "off"] = "stop"
    """`stop`: return to the last good epoch and stop, or if there is none, reset the alphas. `regularise`: increase the
    alphas' regularisation and continue. `off`: only report."""
    max_skip_fraction: float = Field(default=0.8, ge=0, le=1)
    """Maximum fraction of skip connections among the derived edges."""
    max_drop: PositiveShare | None = None
    """Maximum drop of the validation objective from the supernet to the derived network with the same weights."""
    max_gap: PositiveShare | None = None
    """Maximum drop of the objective from training to validation batches."""
    strength: PositiveFloat = 5.0
    """Increase of the β regularisation's weight each time `regularise` applies."""


class AlphaSection(OneShotSection):
    """Common keys of strategies with architecture parameters (alphas)."""

    level: Literal["single", "bilevel"] = "bilevel"
    """`single`: alphas and weights learn from the same training batches. `bilevel`: alphas learn from validation
    batches."""
    alpha_learning_rate: PositiveFloat = 3e-3
    """Learning rate of the architecture parameters, with Adam."""
    alpha_weight_decay: NonNegativeFloat = 1e-3
    """Decay of the architecture parameters."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the epochs, at the start, that train only the weights."""
    derivation: Literal["argmax", "perturbation"] = "argmax"
    """Take the strongest choices, or those whose removal hurts the supernet most: https://arxiv.org/abs/2108.04392."""
    tuning_steps: int = Field(default=10, ge=0)
    """Weight steps between the decisions of derivation by perturbation."""
    guard: Guard = Guard()
    """Detection of a search that collapses into skip connections."""


class AshaScheduler(Section):
    """ASHA: https://arxiv.org/abs/1810.05934. Many architectures are evaluated briefly, and the best of them longer."""

    kind: Literal["asha"] = "asha"
    rungs: int = Field(default=3, ge=2)
    """Number of fidelities; the last one is the full fidelity."""
    reduction: float = Field(default=3.0, gt=1)
    """One in `reduction` is promoted from each rung to the next, where its fidelity is that many times higher."""
    spends: Literal["epochs", "data", "resolution", "channels"] = "epochs"
    """What grows from rung to rung."""


class SampledSection(StrategySection):
    """Common keys of all sampled strategies."""

    is_sampled = True

    scheduler: AshaScheduler | None = None
    """Scheduler of fidelities; null to evaluate only at full fidelity."""


class Budget(Section):
    """Total cost of the search."""

    epochs: int = Field(default=20, ge=1)
    """Passes over the training split, for one-shot searches."""
    seeds: int = Field(default=1, ge=1)
    """Number of one-shot searches, each with another seed; the best one on validation is taken."""
    evaluations: int = Field(default=50, ge=1)
    """Number of architectures that a sampled search evaluates, without those that screening rejects."""
    finalists: int = Field(default=3, ge=1)
    """Number of best architectures of a sampled search that are evaluated again before the final choice."""
    fresh_seeds: int = Field(default=2, ge=1)
    """Number of times that each finalist is evaluated again."""
    minutes: PositiveFloat | None = None
    """Time for search and final training together, at the device speed that was measured before; 10 by default for a
    race. Results do not depend on the clock."""
    gpu_hours: PositiveFloat | None = None
    """The same in hours, instead of minutes."""
    max_seconds: PositiveFloat | None = None
    """Wall time after which no further epoch or trial starts. Results then depend on the machine's speed."""

    @model_validator(mode="after")
    def _is_one_time(self) -> Self:
        if self.minutes is not None and self.gpu_hours is not None:
            raise ValueError(f"minutes must be left out where there are gpu_hours, got {self.minutes:g}")
        return self

    @property
    def seconds(self) -> float | None:
        """Return the time for search and final training together; None if it is unlimited."""
        if self.gpu_hours is not None:
            return 3600 * self.gpu_hours
        return None if self.minutes is None else 60 * self.minutes
