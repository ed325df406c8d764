"""The `space` section: which architectures are allowed."""

from typing import Literal

from pydantic import Field, field_validator

from cellwright.spec._section import Section

DARTS_PRIMITIVES = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The primitives of Liu et al. 2019, https://arxiv.org/abs/1806.09055, less `none`, which is never derived."""


class DartsSpace(Section):
    """The DARTS cell space: normal and reduction cells, each node reading two earlier feature maps."""

    kind: Literal["darts"] = "darts"
    primitives: tuple[str, ...] = DARTS_PRIMITIVES
    """The operations to choose from."""
    num_nodes: int = Field(default=4, ge=1, le=7)
    """Intermediate nodes of a cell."""
    num_cells: int = Field(default=8, ge=1, le=100)
    """Cells of the network; the ones at a third and at two thirds of its depth are reduction cells."""
    channels: int = Field(default=16, ge=1)
    """Channels of the first cell; each reduction doubles them."""

    @field_validator("primitives")
    @classmethod
    def _are_known_and_differ(cls, primitives: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in primitives if name not in DARTS_PRIMITIVES]
        if unknown:
            raise ValueError(f"must be among {', '.join(DARTS_PRIMITIVES)}, got {unknown}")
        if len(set(primitives)) != len(primitives) or len(primitives) < 2:
            raise ValueError(f"must be at least two different ones, got {list(primitives)}")
        return primitives


AnySpace = DartsSpace
