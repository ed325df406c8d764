"""The `strategy` section of drnas."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import AlphaSection, NonNegativeFloat, PositiveFloat


class DrnasSection(AlphaSection):
    """DrNAS: https://arxiv.org/abs/2006.10355."""

    implementation = "cellwright.strategies.one_shot.drnas.strategy:Drnas"

    kind: Literal["drnas"]
    level: Literal["single", "bilevel"] = "single"
    """`single`: alphas and weights learn from the same training batches. `bilevel`: alphas learn from validation
    batches, as in the paper, which leads to more skip connections in short searches."""
    alpha_weight_decay: NonNegativeFloat = 0.0
    """Decay of the architecture parameters."""
    warmup: float = Field(default=0.4, ge=0, lt=1)
    """Fraction of the epochs, at the start, that train only the weights. Drawn mixtures need more of them."""
    alpha_learning_rate: PositiveFloat = 0.05
    """Learning rate of the architecture parameters, with Adam. The paper's 0.0003 is for 40,000 steps; in a search of
    two thousand, nothing would be decided."""
    anchor: NonNegativeFloat = 5.0
    """How strongly the learnt Dirichlet distributions are drawn to the uniform one: without gradients, the alphas decay
    by a factor of e this many times in a search. So early preferences, which are for skip connections, do not last."""
