"""The `space` section of dense networks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.space import SpaceSection, _differ

Block = Literal["skip", "plain", "residual", "gated"]
BLOCKS: tuple[Block, ...] = ("skip", "plain", "residual", "gated")


class DenseSection(SpaceSection):
    """Dense networks with an ensemble that shares most weights. Embeddings, blocks, depth and width are searched."""

    implementation = "cellwright.spaces.dense.space:Dense"
    networks = "cellwright.spaces.dense.networks:DenseNetworks"

    kind: Literal["dense"]
    embeddings: Annotated[tuple[str, ...], Field(min_length=1)] = ("piecewise", "periodic", "plain")
    """Embeddings of numeric columns to choose from. A task without such embeddings has only `plain`."""
    blocks: Annotated[tuple[Block, ...], AfterValidator(_differ)] = BLOCKS
    """Blocks to choose from for each layer. A skipped layer reduces the depth."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], AfterValidator(_differ)] = (50, 100)
    """The widths to choose from, in percent of `channels`."""
    num_layers: int = Field(default=3, ge=1, le=20)
    """Maximum number of layers after the first."""
    channels: int = Field(default=128, ge=1)
    """Units of a layer of 100 % width."""
    members: int = Field(default=16, ge=1, le=64)
    """Number of members of the implicit ensemble, which share all weights but the first scales and the last layers."""
