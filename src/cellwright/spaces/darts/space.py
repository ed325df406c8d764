"""The DARTS cell space: Liu et al. 2019, https://arxiv.org/abs/1806.09055."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError, Node
from cellwright.spaces.base import Choices, Space, Strengths
from cellwright.spaces.darts.section import DartsSection

NORMAL, REDUCE = "normal", "reduce"
NUM_INPUTS = 2
EDGES_PER_NODE = 2


@dataclass(frozen=True, kw_only=True)
class Darts(Space):
    """Genotypes with a normal and a reduction cell.

    A cell reads the outputs of the previous two cells. Each of its `num_nodes` nodes sums two edges from different
    earlier feature maps, each with one of the `primitives`. The cell's output is the concatenation of its nodes.
    """

    primitives: tuple[str, ...]
    num_nodes: int

    name = "darts"
    concatenates = True
    cell_kinds = (NORMAL, REDUCE)

    @classmethod
    def of(cls, section: DartsSection) -> Self:
        """Build the space of a section."""
        return cls(primitives=section.names, num_nodes=section.num_nodes)

    def sources(self, node: int) -> range:
        """Return the possible sources of a node: the inputs and the earlier nodes."""
        return range(NUM_INPUTS + node)

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the numbers of edges and of primitives for each cell type."""
        return dict.fromkeys(self.cell_kinds, (len(self.edges), len(self.primitives)))

    @property
    def sum_indices(self) -> Mapping[str, Sequence[int]]:
        """Return the node that each edge leads to."""
        return dict.fromkeys(self.cell_kinds, [node for _, node in self.edges])

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Return every possible (source, node) of a cell, in the order of the alphas."""
        return tuple((source, node) for node in range(self.num_nodes) for source in self.sources(node))

    def sample(self, rng: random.Random) -> Genotype:
        """Draw a genotype uniformly at random."""
        return self._genotype({kind: self._sample_nodes(rng) for kind in self.cell_kinds})

    def check(self, genotype: Genotype) -> None:
        """Raise GenotypeError, naming the rule, if the genotype is not in the space."""
        if genotype.space != self.name:
            raise GenotypeError(f"space must be {self.name!r}, got {genotype.space!r}")
        if set(genotype.cells) != set(self.cell_kinds):
            raise GenotypeError(f"cells must be {list(self.cell_kinds)}, got {list(genotype.cells)}")
        for kind, cell in genotype.cells.items():
            if (cell.num_inputs, len(cell.nodes)) != (NUM_INPUTS, self.num_nodes):
                raise GenotypeError(
                    f"{kind} cell must have {NUM_INPUTS} inputs and {self.num_nodes} nodes, "
                    f"got {cell.num_inputs} and {len(cell.nodes)}"
                )
            if cell.widths is not None:
                raise GenotypeError(f"{kind} cell: widths must not be given, got {list(cell.widths)}")
            for index, node in enumerate(cell.nodes):
                self._check_node(node, f"{kind} cell, node {index}")

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Yield all genotypes that differ in one primitive or one source."""
        self.check(genotype)
        for kind in self.cell_kinds:
            nodes = genotype.cells[kind].nodes
            for index, node in enumerate(nodes):
                for changed in self._node_neighbours(node, index):
                    cell = (*nodes[:index], changed, *nodes[index + 1 :])
                    yield self._genotype({k: c.nodes for k, c in genotype.cells.items()} | {kind: cell})

    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return a one-hot vector over (cell kind, edge, primitive)."""
        self.check(genotype)
        chosen = {
            (kind, edge.source, node, edge.primitive)
            for kind in self.cell_kinds
            for node, edges in enumerate(genotype.cells[kind].nodes)
            for edge in edges
        }
        return tuple(
            float((kind, source, node, primitive) in chosen)
            for kind in self.cell_kinds
            for source, node in self.edges
            for primitive in self.primitives
        )

    def derive(self, strengths: Strengths) -> Genotype:
        """Keep the two edges with the strongest primitives at each node, as DARTS does."""
        return self._genotype({kind: self._strongest(strengths[kind]) for kind in self.cell_kinds})

    def choices(self, genotype: Genotype) -> Choices:
        """Return the primitive on each edge for each cell type; None for edges that are not kept."""
        self.check(genotype)
        return {kind: self._choices(genotype.cells[kind]) for kind in self.cell_kinds}

    def _choices(self, cell: Cell) -> list[int | None]:
        kept = {(e.source, node): e.primitive for node, edges in enumerate(cell.nodes) for e in edges}
        return [self.primitives.index(kept[edge]) if edge in kept else None for edge in self.edges]

    def _strongest(self, strengths: Sequence[Sequence[float]]) -> tuple[Node, ...]:
        nodes: list[Node] = []
        for node in range(self.num_nodes):
            incoming = [
                (max(row), source, self.primitives[row.index(max(row))])
                for (source, end), row in zip(self.edges, map(list, strengths), strict=True)
                if end == node
            ]
            kept = sorted(incoming, key=lambda edge: -edge[0])[:EDGES_PER_NODE]
            nodes.append(tuple(Edge(source, primitive) for _, source, primitive in kept))
        return tuple(nodes)

    def _genotype(self, nodes: dict[str, tuple[Node, ...]]) -> Genotype:
        cells = {kind: Cell(num_inputs=NUM_INPUTS, nodes=nodes[kind]) for kind in self.cell_kinds}
        return Genotype(space=self.name, cells=cells)

    def _sample_nodes(self, rng: random.Random) -> tuple[Node, ...]:
        return tuple(
            tuple(
                Edge(source, rng.choice(self.primitives))
                for source in rng.sample(self.sources(node), EDGES_PER_NODE)
            )
            for node in range(self.num_nodes)
        )

    def _check_node(self, node: Node, position: str) -> None:
        if len({edge.source for edge in node}) != EDGES_PER_NODE or len(node) != EDGES_PER_NODE:
            raise GenotypeError(
                f"{position} must read {EDGES_PER_NODE} different sources, got {[e.source for e in node]}"
            )
        for edge in node:
            if edge.primitive not in self.primitives:
                raise GenotypeError(
                    f"{position}: primitive must be among {', '.join(self.primitives)}, got {edge.primitive!r}"
                )

    def _node_neighbours(self, node: Node, index: int) -> Iterator[Node]:
        taken = {edge.source for edge in node}
        for kept, changed in itertools.permutations(node):
            for primitive in self.primitives:
                if primitive != changed.primitive:
                    yield kept, Edge(changed.source, primitive)
            for source in self.sources(index):
                if source not in taken:
                    yield kept, Edge(source, changed.primitive)
