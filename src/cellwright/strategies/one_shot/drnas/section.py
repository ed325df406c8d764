"""The `strategy` section of drnas."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import AlphaSection, NonNegativeFloat


class DrnasSection(AlphaSection):
    """DrNAS: https://arxiv.org/abs/2006.10355."""

    implementation = "cellwright.strategies.one_shot.drnas.strategy:Drnas"

    kind: Literal["drnas"]
    level: Literal["single", "bilevel"] = "single"
    """Alphas learn with the weights on training batches (single), or on validation batches (bilevel, as in the paper,
    which leads to more skip connections where the search is short)."""
    alpha_weight_decay: NonNegativeFloat = 0.0
    warmup: float = Field(default=0.4, ge=0, lt=1)
    """Share of the epochs, those at the start, in which only the weights learn: by drawn mixtures that takes longer."""
    anchor: NonNegativeFloat = 0.1
    """Weight of the distance between the learnt Dirichlet distributions and the uniform one.

    The paper's 0.001 is for searches of 40,000 steps: in one of a thousand, what the first epochs preferred would stand
    to the end.
    """
