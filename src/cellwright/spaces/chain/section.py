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
    """A chain of layers of chosen primitives and widths that may read any earlier ones: ENAS's macro search."""

    implementation = "cellwright.spaces.chain.space:Chain"
    networks = "cellwright.spaces.chain.networks:ChainNetworks"

    kind: Literal["chain"]
    primitives: Primitives = CHAIN_PRIMITIVES
    """The operations to choose from; one of your own by its import path, `my_package.ops:my_conv`."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], AfterValidator(_differ)] = (50, 100)
    """The widths to choose from, in percent of `channels`."""
    num_layers: int = Field(default=9, ge=2, le=50)
    """Layers of the network; from the ones at a third and at two thirds on, sides are halved."""
    channels: int = Field(default=16, ge=1)
    """Channels of a first layer of 100 % width; each halving of the sides doubles them."""
