"""The `strategy` section of drnas."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import AlphaSection, NonNegativeFloat


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
    anchor: NonNegativeFloat = 0.1
    """Weight of the distance between the learnt Dirichlet distributions and the uniform one.

    The paper's 0.001 suits searches of 40,000 steps. In a search of a thousand, the preferences of the first epochs
    would never change.
    """
