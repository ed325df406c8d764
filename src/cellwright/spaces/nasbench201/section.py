"""The `space` section of NAS-Bench-201's cell."""

from typing import Literal

from pydantic import Field

from cellwright.spec.space import SpaceSection


class NasBench201Section(SpaceSection):
    """The cell of NAS-Bench-201, https://arxiv.org/abs/2001.00326: five primitives on six edges."""

    implementation = "cellwright.spaces.nasbench201.space:NasBench201"
    networks = "cellwright.spaces.nasbench201.networks:NasBench201Networks"

    kind: Literal["nasbench201"]
    num_cells: int = Field(default=5, ge=1, le=50)
    """Number of cells in each of the three stages."""
    channels: int = Field(default=16, ge=1)
    """Channels of the first stage; each of the other two doubles them."""
