"""The `space` section of chains."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.space import Primitives, PrimitivesSection, _differ

CHAIN_PRIMITIVES = (
    "nor_conv_3x3",
    "nor_conv_5x5",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "avg_pool_3x3",
    "max_pool_3x3",
)
"""The primitives of ENAS's macro search, https://arxiv.org/abs/1802.03268."""


class ChainSection(PrimitivesSection):
    """A chain of layers with searched primitives, widths and skip connections: ENAS's macro search."""

    implementation = "cellwright.spaces.chain.space:Chain"
    networks = "cellwright.spaces.chain.networks:ChainNetworks"

    kind: Literal["chain"]
    primitives: Primitives = CHAIN_PRIMITIVES
    """The primitives to choose from. Give your own by its import path, `my_package.ops:my_conv`."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], AfterValidator(_differ)] = (50, 100)
    """The widths to choose from, in percent of `channels`."""
    num_layers: int = Field(default=9, ge=2, le=50)
    """Number of layers. The ones at a third and at two thirds of the depth halve height and width."""
    channels: int = Field(default=16, ge=1)
    """Channels of a first layer of 100 % width; each halving of height and width doubles them."""
