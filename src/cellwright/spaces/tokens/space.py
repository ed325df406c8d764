"""Networks on words: a width, and a chain of layers some of which are skipped.

The layers are those of TextNAS: Wang et al. 2020, https://arxiv.org/abs/1912.10729.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces.product import CELL, ProductSpace, Taken
from cellwright.spaces.tokens.section import TokensSection

SKIP = "skip"


@dataclass(frozen=True, kw_only=True)
class Tokens(ProductSpace):
    """Genotypes of one cell, a node for each layer, all of one width."""

    layers: tuple[str, ...]
    widths: tuple[int, ...]
    num_layers: int

    name = "tokens"
    WIDTH, LAYER = "width", "layer"
    """The groups of decisions."""

    @classmethod
    def of(cls, section: TokensSection) -> Self:
        """Return the space that the section describes."""
        return cls(layers=section.layers, widths=section.widths, num_layers=section.num_layers)

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the width, and one decision for each layer."""
        return {self.WIDTH: (1, len(self.widths)), self.LAYER: (self.num_layers, len(self.layers))}

    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype; each node reads the one before."""
        (width,) = taken[self.WIDTH]
        nodes = tuple((Edge(place, self.layers[choice]),) for place, choice in enumerate(taken[self.LAYER]))
        widths = (self.widths[width],) * len(nodes)
        return Genotype(space=self.name, cells={CELL: Cell(num_inputs=1, nodes=nodes, widths=widths)})

    def taken(self, genotype: Genotype) -> Taken:
        """Return the places of the width and of the layers."""
        cell = self.only_cell(genotype, num_nodes=self.num_layers)
        names = [node[0].primitive if node else "" for node in cell.nodes]
        widths = set(cell.widths or ())
        for what, found, known in (("layers", set(names), self.layers), ("widths", widths, self.widths)):
            if not found or not found <= set(known):
                raise GenotypeError(f"{what} must be among {list(known)}, got {genotype.to_line()}")
        taken = {
            self.WIDTH: [self.widths.index(min(widths))],
            self.LAYER: [self.layers.index(name) for name in names],
        }
        if self.genotype(taken) != genotype:
            raise GenotypeError(
                f"nodes must each read the one before, and be of one width, got {genotype.to_line()}"
            )
        return taken

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return one text for all genotypes whose networks have the same layers in the same order."""
        cell = genotype.cells[CELL]
        names = [node[0].primitive for node in cell.nodes]
        return f"{self.name}:{(cell.widths or (0,))[0]}:{','.join(name for name in names if name != SKIP)}"
