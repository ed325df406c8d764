"""Networks on words: a width, and a chain of layers some of which are skipped.

The layers are those of TextNAS: Wang et al. 2020, https://arxiv.org/abs/1912.10729.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellwright.spaces.sequence import SequenceSpace
from cellwright.spaces.tokens.section import TokensSection


@dataclass(frozen=True, kw_only=True)
class Tokens(SequenceSpace):
    """Genotypes of one cell, a node for each layer, all of one width."""

    layers: tuple[str, ...]
    widths: tuple[int, ...]
    num_layers: int

    name = "tokens"
    LAYER = "layer"
    """The group with the layers."""

    @classmethod
    def of(cls, section: TokensSection) -> Self:
        """Return the space that the section describes."""
        return cls(layers=section.layers, widths=section.widths, num_layers=section.num_layers)

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the width, and one decision for each layer."""
        return {self.WIDTH: (1, len(self.widths)), self.LAYER: (self.num_layers, len(self.layers))}

    @property
    def layers_of(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the layers."""
        return {self.LAYER: self.layers}
