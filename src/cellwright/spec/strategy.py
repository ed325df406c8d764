"""The `strategy` and `budget` sections: how architectures are found, and at what cost."""

from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec._section import Section

PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]


class OneShotSection(Section):
    """What all one-shot strategies share: how the supernet's weights and alphas are trained."""

    level: Literal["single", "bilevel"] = "bilevel"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel)."""
    batch_size: int = Field(default=64, ge=2)
    learning_rate: PositiveFloat = 0.05
    """Of the network weights, by SGD with momentum, falling to 0 along a cosine."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: NonNegativeFloat = 3e-4
    gradient_clip: PositiveFloat = 5.0
    alpha_learning_rate: PositiveFloat = 3e-3
    """Of the architecture parameters, by Adam."""
    alpha_weight_decay: NonNegativeFloat = 1e-3
    warmup_epochs: int = Field(default=0, ge=0)
    """Epochs at the start in which only the weights learn."""


class DartsStrategy(OneShotSection):
    """DARTS, first order: https://arxiv.org/abs/1806.09055."""

    kind: Literal["darts"]


class BetaDartsStrategy(OneShotSection):
    """β-DARTS: https://arxiv.org/abs/2203.01665."""

    kind: Literal["beta-darts"] = "beta-darts"
    level: Literal["single", "bilevel"] = "single"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel)."""
    alpha_weight_decay: NonNegativeFloat = 0.0
    beta: NonNegativeFloat = 50.0
    """Weight of the β regularisation in the last epoch; it grows from 0 in proportion to the epoch."""


AnyStrategy = Annotated[DartsStrategy | BetaDartsStrategy, Field(discriminator="kind")]


class Budget(Section):
    """What the search may cost in all."""

    epochs: int = Field(default=20, ge=1)
    """Passes over the training split."""
    max_seconds: PositiveFloat | None = None
    """Wall time after which no further epoch is begun. Results then depend on the machine's speed."""
