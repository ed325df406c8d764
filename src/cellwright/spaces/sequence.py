"""Spaces of layers in a row, all of one width, some of which may be skipped."""

from abc import abstractmethod
from collections.abc import Mapping

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces.product import CELL, ProductSpace, Taken

SKIP = "skip"
"""Name of a layer that is left out."""


class SequenceSpace(ProductSpace):
    """A space whose genotypes are one cell with a node for each layer, which reads the node before it.

    Subclasses define `name`, `decisions`, `widths` and `layers_of`.
    """

    widths: tuple[int, ...]
    WIDTH = "width"
    """The group with the one decision about the width of all layers."""

    @property
    @abstractmethod
    def layers_of(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of layers to choose from, for each group of decisions, in the order of the nodes."""

    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype; each node reads the one before it."""
        (width,) = taken[self.WIDTH]
        names = [names[choice] for group, names in self.layers_of.items() for choice in taken[group]]
        nodes = tuple((Edge(source, name),) for source, name in enumerate(names))
        widths = (self.widths[width],) * len(nodes)
        return Genotype(space=self.name, cells={CELL: Cell(num_inputs=1, nodes=nodes, widths=widths)})

    def taken(self, genotype: Genotype) -> Taken:
        """Return the index of the width, and those of the layers."""
        counts = {group: self.decisions[group][0] for group in self.layers_of}
        cell = self.only_cell(genotype, num_nodes=sum(counts.values()))
        widths = sorted(set(cell.widths or ()))
        if not widths or not set(widths) <= set(self.widths):
            raise GenotypeError(f"widths must be among {list(self.widths)}, got {genotype.to_line()}")
        taken = {self.WIDTH: [self.widths.index(widths[0])]}
        names = [node[0].primitive if node else "" for node in cell.nodes]
        for group, known in self.layers_of.items():
            found, names = names[: counts[group]], names[counts[group] :]
            if not set(found) <= set(known):
                raise GenotypeError(f"each {group} must be among {list(known)}, got {genotype.to_line()}")
            taken[group] = [known.index(name) for name in found]
        if self.genotype(taken) != genotype:
            raise GenotypeError(
                f"nodes must each read the one before, and be of one width, got {genotype.to_line()}"
            )
        return {group: taken[group] for group in self.decisions}

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return one text for all genotypes whose networks have the same layers in the same order."""
        cell = genotype.cells[CELL]
        names = [node[0].primitive for node in cell.nodes]
        return f"{self.name}:{(cell.widths or (0,))[0]}:{','.join(name for name in names if name != SKIP)}"
