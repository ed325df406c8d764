"""The `space` section of the DARTS cell space."""

from typing import Literal, Self

from pydantic import Field

from cellwright.spec.space import Primitives, PrimitivesSection

DARTS_PRIMITIVES = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The primitives of Liu et al. 2019, https://arxiv.org/abs/1806.09055, without `none`, which is never derived."""


class DartsSection(PrimitivesSection):
    """The DARTS cell space: normal and reduction cells, where each node reads two earlier feature maps."""

    implementation = "cellwright.spaces.darts.space:Darts"
    networks = "cellwright.spaces.darts.networks:DartsNetworks"

    kind: Literal["darts"] = "darts"
    primitives: Primitives = DARTS_PRIMITIVES
    """The primitives to choose from. Give your own by its import path, `my_package.ops:my_conv`."""
    num_nodes: int = Field(default=4, ge=1, le=7)
    """Number of intermediate nodes in a cell."""
    num_cells: int = Field(default=8, ge=1, le=100)
    """Number of cells. The ones at a third and at two thirds of the depth are reduction cells."""
    channels: int = Field(default=16, ge=1)
    """Channels of the first cell; each reduction doubles them."""

    def shrunk(self, *, cells: int, channels: int) -> Self:
        """Return the section with at most `3 * cells` cells, since they form all three stages."""
        return super().shrunk(cells=3 * cells, channels=channels)
