"""Search spaces: which architectures are allowed, and in a folder for each kind its networks too.

Nothing here, nor in a kind's `section` and `space`, needs torch: the suggestion service samples from spaces.
"""

from cellwright.importing import load_class
from cellwright.spaces.base import Choices, Space, Strengths
from cellwright.spaces.product import CELL, ProductSpace, Taken
from cellwright.spaces.tuned import TUNE, FixedSpace, TunedSpace, architecture_of, split_genotype
from cellwright.spec import SpaceSection

__all__ = [
    "CELL",
    "TUNE",
    "Choices",
    "FixedSpace",
    "ProductSpace",
    "Space",
    "Strengths",
    "Taken",
    "TunedSpace",
    "architecture_of",
    "build_space",
    "split_genotype",
]


def build_space(section: SpaceSection) -> Space:
    """Return the space that a spec's `space` section describes."""
    return load_class(section.implementation, Space).of(section)  # type: ignore[type-abstract]
