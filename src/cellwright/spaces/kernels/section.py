"""The `space` section of kernels."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.space import SpaceSection, _differ


def _are_odd(sizes: tuple[int, ...]) -> tuple[int, ...]:
    if even := [size for size in sizes if size % 2 == 0]:
        raise ValueError(f"must be odd, got {even[0]}")
    return sizes


Sizes = Annotated[
    tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(min_length=1), AfterValidator(_are_odd)
]


class KernelsSection(SpaceSection):
    """A residual network whose kernel sizes and dilations, and thus receptive fields, are searched."""

    implementation = "cellwright.spaces.kernels.space:Kernels"
    networks = "cellwright.spaces.kernels.networks:KernelNetworks"

    kind: Literal["kernels"]
    sizes: Sizes = (3, 5, 7, 11, 15)
    """Kernel sizes to choose from, all odd."""
    dilations: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], AfterValidator(_differ)] = (1, 3, 7)
    """Dilations to choose from."""
    num_blocks: int = Field(default=3, ge=1, le=20)
    """Number of residual blocks, of two layers each."""
    channels: int = Field(default=32, ge=1)
    """Channels of the first block; the others have twice as many."""
