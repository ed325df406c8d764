"""The `space` section of networks on words."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.space import SpaceSection, _differ

Layer = Literal["skip", "conv1", "conv3", "conv5", "conv7", "max3", "attention"]
LAYERS: tuple[Layer, ...] = ("skip", "conv1", "conv3", "conv5", "conv7", "max3", "attention")


class TokensSection(SpaceSection):
    """What a network does with words in a row, beside adding up all of them."""

    implementation = "cellwright.spaces.tokens.space:Tokens"
    networks = "cellwright.spaces.tokens.networks:TokenNetworks"

    kind: Literal["tokens"]
    layers: Annotated[tuple[Layer, ...], AfterValidator(_differ)] = LAYERS
    """What each layer may be: convolutions over 1 to 7 words, the largest of 3, attention to all words, or a skip,
    which makes the network less deep."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], AfterValidator(_differ)] = (50, 100)
    """The widths to choose from, in percent of `channels`."""
    num_layers: int = Field(default=2, ge=1, le=20)
    """Layers at most."""
    channels: int = Field(default=64, ge=1)
    """Channels of a layer of 100 % width."""
