"""Search spaces: which architectures are allowed, and in a folder for each kind its networks too.

Nothing here, nor in a kind's `section` and `space`, needs torch: the suggestion service samples from spaces.
"""

from cellwright.importing import load_class
from cellwright.spaces.base import Choices, Space, Strengths
from cellwright.spaces.candidates import CandidateSpace
from cellwright.spaces.fixed import FixedSpace
from cellwright.spaces.product import CELL, ProductSpace, Taken
from cellwright.spec import SpaceSection

__all__ = [
    "CELL",
    "CandidateSpace",
    "Choices",
    "FixedSpace",
    "ProductSpace",
    "Space",
    "Strengths",
    "Taken",
    "build_space",
]


def build_space(section: SpaceSection) -> Space:
    """Return the space that a spec's `space` section describes."""
    return load_class(section.implementation, Space).of(section)  # type: ignore[type-abstract]
