"""The cell of NAS-Bench-201: Dong & Yang 2020, https://arxiv.org/abs/2001.00326."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.product import CELL, ProductSpace, Taken

NUM_NODES = 3
NONE, SKIP = "none", "skip_connect"
PRIMITIVES = (NONE, SKIP, "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""In the order of the published tables."""


@dataclass(frozen=True)
class NasBench201(ProductSpace):
    """15,625 genotypes: each of three nodes reads the cell's input and all earlier nodes; the last node is the output.

    The choices of a genotype, in order, are the operations that index the published tables.
    """

    name = "nasbench201"
    primitives = PRIMITIVES
    edges = tuple((source, node) for node in range(NUM_NODES) for source in range(node + 1))
    """Every (source, node), in the order of the alphas."""

    @classmethod
    def of(cls, section: NasBench201Section) -> Self:
        """Build the space, which does not depend on the size of its networks."""
        return cls()

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the numbers of edges and of primitives."""
        return {CELL: (len(self.edges), len(self.primitives))}

    @property
    def sum_indices(self) -> Mapping[str, Sequence[int]]:
        """Return the node that each edge leads to."""
        return {CELL: [node for _, node in self.edges]}

    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype with these primitives on the edges, `none` included."""
        primitives = iter(taken[CELL])
        nodes = tuple(
            tuple(Edge(source, self.primitives[next(primitives)]) for source in range(node + 1))
            for node in range(NUM_NODES)
        )
        return Genotype(space=self.name, cells={CELL: Cell(num_inputs=1, nodes=nodes)})

    def taken(self, genotype: Genotype) -> Taken:
        """Return the primitive on each edge."""
        cell = self.only_cell(genotype, num_nodes=NUM_NODES)
        if cell.widths is not None:
            raise GenotypeError(f"widths must not be given, got {list(cell.widths)}")
        for index, node in enumerate(cell.nodes):
            if [edge.source for edge in node] != list(range(index + 1)):
                raise GenotypeError(
                    f"node {index} must read each of sources 0 to {index} once, got {[e.source for e in node]}"
                )
        primitives = [edge.primitive for node in cell.nodes for edge in node]
        if unknown := set(primitives) - set(self.primitives):
            raise GenotypeError(
                f"primitives must be among {', '.join(self.primitives)}, got {sorted(unknown)}"
            )
        return {CELL: [self.primitives.index(primitive) for primitive in primitives]}

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return the benchmark's unique string, of which there are 6,466.

        It replaces a skip by its source, and an edge that is `none` or reads zero by zero; the order of sums does not
        matter. Cells with the same string compute the same function. The reverse does not hold, since the benchmark's
        definition keeps zeros as terms: x + 0 and x are different, and so are 0 + 0 and 0.
        """
        self.check(genotype)
        formatted = ["0"]
        for node in genotype.cells[CELL].nodes:
            formatted.append(
                "+".join(sorted(_format(edge.primitive, formatted[edge.source]) for edge in node))
            )
        return formatted[-1]


def _format(primitive: str, source: str) -> str:
    if primitive == NONE or source == "#":
        return "#"
    return source if primitive == SKIP else f"({source})@{primitive}"
