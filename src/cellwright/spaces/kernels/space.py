"""Kernel sizes and dilations in a fixed residual network: DASH, Shen et al. 2022, https://arxiv.org/abs/2204.07554."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces.kernels.section import KernelsSection
from cellwright.spaces.product import CELL, ProductSpace, Taken

LAYERS_PER_BLOCK = 2


@dataclass(frozen=True, kw_only=True)
class Kernels(ProductSpace):
    """Genotypes of one cell with a node for each layer. `k7_d3` is a kernel of size 7 with dilation 3."""

    sizes: tuple[int, ...]
    dilations: tuple[int, ...]
    num_blocks: int

    name = "kernels"
    KERNEL = "kernel"
    """The only group of decisions."""

    @classmethod
    def of(cls, section: KernelsSection) -> Self:
        """Build the space of a section."""
        return cls(sizes=section.sizes, dilations=section.dilations, num_blocks=section.num_blocks)

    @property
    def num_layers(self) -> int:
        """Return the total number of layers."""
        return LAYERS_PER_BLOCK * self.num_blocks

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Return all pairs of size and dilation; a kernel of size 1 has no dilation."""
        pairs = itertools.product(self.sizes, self.dilations)
        return tuple(
            (size, dilation) for size, dilation in pairs if size > 1 or dilation == min(self.dilations)
        )

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return one decision for each layer."""
        return {self.KERNEL: (self.num_layers, len(self.shapes))}

    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype; each node reads the one before it."""
        nodes = tuple(
            (Edge(layer, _name(*self.shapes[choice])),) for layer, choice in enumerate(taken[self.KERNEL])
        )
        return Genotype(space=self.name, cells={CELL: Cell(num_inputs=1, nodes=nodes)})

    def taken(self, genotype: Genotype) -> Taken:
        """Return the index of each layer's kernel."""
        cell = self.only_cell(genotype, num_nodes=self.num_layers)
        indices = {_name(*shape): index for index, shape in enumerate(self.shapes)}
        names = [node[0].primitive if node else "" for node in cell.nodes]
        if unknown := sorted(set(names) - indices.keys()):
            raise GenotypeError(f"kernels must be among {', '.join(indices)}, got {unknown[0]!r}")
        taken = {self.KERNEL: [indices[name] for name in names]}
        if self.genotype(taken) != genotype:
            raise GenotypeError(f"each layer must read the one before, got {genotype.to_line()}")
        return taken


def _name(size: int, dilation: int) -> str:
    return f"k{size}_d{dilation}"
