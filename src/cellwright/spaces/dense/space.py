"""Dense networks: an embedding of the columns, a width, and a chain of blocks, some of which may be skipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellwright.spaces.dense.section import DenseSection
from cellwright.spaces.sequence import SequenceSpace


@dataclass(frozen=True, kw_only=True)
class Dense(SequenceSpace):
    """Genotypes of one cell. The first node is the embedding; the others are the layers, all of the same width."""

    embeddings: tuple[str, ...]
    blocks: tuple[str, ...]
    widths: tuple[int, ...]
    num_layers: int

    name = "dense"
    EMBEDDING, BLOCK = "embedding", "block"
    """The groups with the first node and with the others."""

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

    @property
    def layers_of(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the embeddings and of the blocks."""
        return {self.EMBEDDING: self.embeddings, self.BLOCK: self.blocks}
