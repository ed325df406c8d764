"""Search spaces: which architectures are allowed."""

from cellwright.spaces._base import Space
from cellwright.spaces._darts import Darts
from cellwright.spec import DartsSpace

__all__ = ["Darts", "Space", "build_space"]


def build_space(section: DartsSpace) -> Darts:
    """Return the space that a spec's `space` section describes."""
    return Darts(primitives=section.primitives, num_nodes=section.num_nodes)
