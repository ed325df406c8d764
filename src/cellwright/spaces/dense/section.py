"""The `space` section of dense networks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.space import SpaceSection, _differ

Block = Literal["skip", "plain", "residual", "gated"]
BLOCKS: tuple[Block, ...] = ("skip", "plain", "residual", "gated")


class DenseSection(SpaceSection):
    """Dense networks whose members share most weights: how columns are embedded, blocks, depth and width."""

    implementation = "cellwright.spaces.dense.space:Dense"
    networks = "cellwright.spaces.dense.networks:DenseNetworks"

    kind: Literal["dense"]
    embeddings: Annotated[tuple[str, ...], Field(min_length=1)] = ("piecewise", "periodic", "plain")
    """How numbers are embedded; a task that knows no such ways has `plain` alone."""
    blocks: Annotated[tuple[Block, ...], AfterValidator(_differ)] = BLOCKS
    """What each layer may be; a layer that is skipped makes the network less deep."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], AfterValidator(_differ)] = (50, 100)
    """The widths to choose from, in percent of `channels`."""
    num_layers: int = Field(default=3, ge=1, le=20)
    """Layers after the first at most."""
    channels: int = Field(default=128, ge=1)
    """Units of a layer of 100 % width."""
    members: int = Field(default=16, ge=1, le=64)
    """Networks of the implicit ensemble, which share all but first scales and last layers."""
