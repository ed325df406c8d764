"""The `strategy` section of pc_darts."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import AlphaSection, PositiveShare


class PcDartsSection(AlphaSection):
    """PC-DARTS: https://arxiv.org/abs/1907.05737."""

    implementation = "cellwright.strategies.one_shot.pc_darts.strategy:PcDarts"

    kind: Literal["pc-darts"]
    warmup: float = Field(default=0.3, ge=0, lt=1)
    """Fraction of the epochs, at the start, that train only the weights; the paper's value."""
    channel_fraction: PositiveShare = 0.25
    """Fraction of the channels that go through the primitives; the others bypass them."""

    @property
    def mixed_fraction(self) -> float:
        """Return the fraction of the channels that go through the primitives."""
        return self.channel_fraction
