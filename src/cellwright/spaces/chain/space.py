"""A chain of layers with skip connections, as in the macro search of ENAS.

Pham et al. 2018, https://arxiv.org/abs/1802.03268. The search over widths is an addition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError, Node
from cellwright.spaces.chain.section import ChainSection
from cellwright.spaces.product import CELL, ProductSpace, Taken


@dataclass(frozen=True, kw_only=True)
class Chain(ProductSpace):
    """Genotypes of `num_layers` layers, at least two, which are the nodes of one cell whose input is the stem.

    Each layer has one of the `primitives` and one of the `widths`, in percent of the channels at its position. It reads
    the layer before it, and any of the earlier ones.
    """

    primitives: tuple[str, ...]
    widths: tuple[int, ...]
    num_layers: int

    name = "chain"
    PRIMITIVE, WIDTH, INPUT = "primitive", "width", "input"
    """The groups of decisions."""
    SKIPPED, READ = 0, 1
    """The choices for a skip connection."""

    @classmethod
    def of(cls, section: ChainSection) -> Self:
        """Build the space of a section."""
        return cls(primitives=section.names, widths=section.widths, num_layers=section.num_layers)

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return one primitive and one width for each layer, and one decision for each possible skip connection."""
        return {
            self.PRIMITIVE: (self.num_layers, len(self.primitives)),
            self.WIDTH: (self.num_layers, len(self.widths)),
            self.INPUT: (len(self.pairs), 2),
        }

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Return every possible skip connection as (source, layer). Source 0 is the stem, source n is layer n - 1."""
        return tuple((source, layer) for layer in range(self.num_layers) for source in range(layer))

    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype; all edges of a layer have its primitive."""
        read = {
            pair for pair, choice in zip(self.pairs, taken[self.INPUT], strict=True) if choice == self.READ
        }
        nodes = tuple(
            tuple(
                Edge(source, self.primitives[choice])
                for source in range(layer + 1)
                if source == layer or (source, layer) in read
            )
            for layer, choice in enumerate(taken[self.PRIMITIVE])
        )
        widths = tuple(self.widths[choice] for choice in taken[self.WIDTH])
        return Genotype(space=self.name, cells={CELL: Cell(num_inputs=1, nodes=nodes, widths=widths)})

    def taken(self, genotype: Genotype) -> Taken:
        """Return each layer's primitive and width, and the skip connections."""
        cell = self.only_cell(genotype, num_nodes=self.num_layers)
        widths = cell.widths or ()
        if not widths or not set(widths) <= set(self.widths):
            raise GenotypeError(f"widths must be among {list(self.widths)}, got {list(widths)}")
        for layer, node in enumerate(cell.nodes):
            self._check_layer(layer, node)
        read = {(edge.source, layer) for layer, node in enumerate(cell.nodes) for edge in node}
        return {
            self.PRIMITIVE: [self.primitives.index(node[0].primitive) for node in cell.nodes],
            self.WIDTH: [self.widths.index(width) for width in widths],
            self.INPUT: [self.READ if pair in read else self.SKIPPED for pair in self.pairs],
        }

    def _check_layer(self, layer: int, node: Node) -> None:
        sources = [edge.source for edge in node]
        if len(set(sources)) != len(sources) or layer not in sources:
            raise GenotypeError(
                f"layer {layer} must read source {layer}, and each source at most once, got {sources}"
            )
        primitives = {edge.primitive for edge in node}
        if len(primitives) != 1 or not primitives <= set(self.primitives):
            raise GenotypeError(
                f"layer {layer} must have one primitive among {', '.join(self.primitives)}, got {sorted(primitives)}"
            )
