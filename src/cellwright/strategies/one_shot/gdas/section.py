"""The `strategy` section of gdas."""

from typing import Literal

from cellwright.spec.strategy import AlphaSection, PositiveFloat


class GdasSection(AlphaSection):
    """GDAS: https://arxiv.org/abs/1910.04465."""

    implementation = "cellwright.strategies.one_shot.gdas.strategy:Gdas"

    kind: Literal["gdas"]
    first_temperature: PositiveFloat = 10.0
    """Temperature of the Gumbel softmax in the first epoch."""
    last_temperature: PositiveFloat = 0.1
    """Temperature in the last epoch; it decreases linearly."""
