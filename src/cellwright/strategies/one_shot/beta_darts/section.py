"""The `strategy` section of beta_darts."""

from typing import Literal

from cellwright.spec.strategy import AlphaSection, NonNegativeFloat, PositiveFloat


class BetaDartsSection(AlphaSection):
    """β-DARTS: https://arxiv.org/abs/2203.01665."""

    implementation = "cellwright.strategies.one_shot.beta_darts.strategy:BetaDarts"

    kind: Literal["beta-darts"] = "beta-darts"
    level: Literal["single", "bilevel"] = "single"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel)."""
    alpha_weight_decay: NonNegativeFloat = 0.0
    alpha_learning_rate: PositiveFloat = 0.02
    """Of the architecture parameters, by Adam."""
    beta: NonNegativeFloat = 1.0
    """Weight of the β regularisation in the last epoch; it grows from 0 in proportion to the epoch.

    The paper's 50 is for searches of 20,000 steps: in one of a few hundred it outweighs the loss a hundredfold and
    holds the alphas where the first epoch left them.
    """
