"""The `strategy` section of beta_darts."""

from typing import Literal

from cellwright.spec.strategy import AlphaSection, NonNegativeFloat, PositiveFloat


class BetaDartsSection(AlphaSection):
    """β-DARTS: https://arxiv.org/abs/2203.01665."""

    implementation = "cellwright.strategies.one_shot.beta_darts.strategy:BetaDarts"

    kind: Literal["beta-darts"] = "beta-darts"
    level: Literal["single", "bilevel"] = "single"
    """`single`: alphas and weights learn from the same training batches. `bilevel`: alphas learn from validation
    batches."""
    alpha_weight_decay: NonNegativeFloat = 0.0
    """Decay of the architecture parameters."""
    alpha_learning_rate: PositiveFloat = 0.02
    """Learning rate of the architecture parameters, with Adam."""
    beta: NonNegativeFloat = 1.0
    """Weight of the β regularisation in the last epoch; it grows linearly from 0.

    The paper's 50 suits searches of 20,000 steps. In a search of a few hundred, it is a hundred times as large as the
    loss, and the alphas stay where the first epoch left them.
    """
