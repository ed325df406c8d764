"""Search spaces, which define the allowed architectures. Each kind has a folder with its networks.

This module and each kind's `section` and `space` need no torch, since the suggestion service samples from spaces.
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
    """Build the space of a spec's `space` section."""
    return load_class(section.implementation, Space).of(section)  # type: ignore[type-abstract]
