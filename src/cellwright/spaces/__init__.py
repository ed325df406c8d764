"""Search spaces: which architectures are allowed."""

from cellwright.errors import CellwrightError
from cellwright.importing import load_class
from cellwright.spaces.base import Choices, Space, Strengths
from cellwright.spaces.chain.space import Chain
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.nasbench201.space import NONE, SKIP, NasBench201
from cellwright.spaces.product import CELL, ProductSpace, Taken
from cellwright.spaces.tuned import TUNE, FixedSpace, TunedSpace, architecture_of, split_genotype
from cellwright.spec import AnySpace, ChainSpace, CustomSpace, DartsSpace, NasBench201Space

__all__ = [
    "CELL",
    "NONE",
    "SKIP",
    "TUNE",
    "Chain",
    "Choices",
    "Darts",
    "FixedSpace",
    "NasBench201",
    "ProductSpace",
    "Space",
    "Strengths",
    "Taken",
    "TunedSpace",
    "architecture_of",
    "build_chain",
    "build_darts",
    "build_space",
    "split_genotype",
]


def build_space(section: AnySpace) -> Space:
    """Return the space that a spec's `space` section describes."""
    match section:
        case DartsSpace():
            return build_darts(section)
        case NasBench201Space():
            return NasBench201()
        case ChainSpace():
            return build_chain(section)
        case CustomSpace():
            try:
                return load_class(section.path, Space)(**section.settings)  # type: ignore[type-abstract]
            except TypeError as error:
                raise CellwrightError(f"space.settings must suit {section.path}: {error}") from error


def build_darts(section: DartsSpace) -> Darts:
    """Return the space of DARTS cells that the section describes."""
    return Darts(primitives=section.names, num_nodes=section.num_nodes)


def build_chain(section: ChainSpace) -> Chain:
    """Return the space of chains that the section describes."""
    return Chain(primitives=section.names, widths=section.widths, num_layers=section.num_layers)
