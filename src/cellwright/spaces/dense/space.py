"""Dense networks: an embedding of the columns, a width, and a chain of blocks, some of which may be skipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces.dense.section import DenseSection
from cellwright.spaces.product import CELL, ProductSpace, Taken

SKIP = "skip"


@dataclass(frozen=True, kw_only=True)
class Dense(ProductSpace):
    """Genotypes of one cell. The first node is the embedding; the others are the layers, all of the same width."""

    embeddings: tuple[str, ...]
    blocks: tuple[str, ...]
    widths: tuple[int, ...]
    num_layers: int

    name = "dense"
    EMBEDDING, WIDTH, BLOCK = "embedding", "width", "block"
    """The groups of decisions."""

    @classmethod
    def of(cls, section: DenseSection) -> Self:
        """Build the space of a section."""
        return cls(
            embeddings=section.embeddings,
            blocks=section.blocks,
            widths=section.widths,
            num_layers=section.num_layers,
        )

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the groups for embedding and width, and a decision for each layer's block."""
        return {
            self.EMBEDDING: (1, len(self.embeddings)),
            self.WIDTH: (1, len(self.widths)),
            self.BLOCK: (self.num_layers, len(self.blocks)),
        }

    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype; each node reads the one before it."""
        (embedding,), (width,) = taken[self.EMBEDDING], taken[self.WIDTH]
        names = [self.embeddings[embedding], *(self.blocks[choice] for choice in taken[self.BLOCK])]
        nodes = tuple((Edge(source, name),) for source, name in enumerate(names))
        widths = (self.widths[width],) * len(nodes)
        return Genotype(space=self.name, cells={CELL: Cell(num_inputs=1, nodes=nodes, widths=widths)})

    def taken(self, genotype: Genotype) -> Taken:
        """Return the indices of the embedding, the width and the blocks."""
        cell = self.only_cell(genotype, num_nodes=1 + self.num_layers)
        names = [node[0].primitive if node else "" for node in cell.nodes]
        widths = set(cell.widths or ())
        for what, found, known in (
            ("the embedding", {names[0]}, self.embeddings),
            ("blocks", set(names[1:]), self.blocks),
            ("widths", widths, self.widths),
        ):
            if not found or not found <= set(known):
                raise GenotypeError(f"{what} must be among {list(known)}, got {genotype.to_line()}")
        taken = {
            self.EMBEDDING: [self.embeddings.index(names[0])],
            self.WIDTH: [self.widths.index(min(widths))],
            self.BLOCK: [self.blocks.index(name) for name in names[1:]],
        }
        if self.genotype(taken) != genotype:
            raise GenotypeError(
                f"nodes must each read the one before, and be of one width, got {genotype.to_line()}"
            )
        return taken

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return a text that is the same for all genotypes with the same blocks in the same order."""
        cell = genotype.cells[CELL]
        names = [node[0].primitive for node in cell.nodes]
        return f"{self.name}:{(cell.widths or (0,))[0]}:{','.join(name for name in names if name != SKIP)}"
