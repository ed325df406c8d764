"""The `strategy` section of pc_darts."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import AlphaSection, Share


class PcDartsSection(AlphaSection):
    """PC-DARTS: https://arxiv.org/abs/1907.05737."""

    implementation = "cellwright.strategies.one_shot.pc_darts.strategy:PcDarts"

    kind: Literal["pc-darts"]
    warmup: float = Field(default=0.3, ge=0, lt=1)
    """Share of the epochs, those at the start, in which only the weights learn; the paper's."""
    channel_fraction: Share = 0.25
    """Share of the channels that goes through the primitives; the rest is passed on."""

    @property
    def mixed_fraction(self) -> float:
        """Return the share of the channels that goes through the primitives."""
        return self.channel_fraction
