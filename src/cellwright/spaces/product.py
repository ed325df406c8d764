"""Spaces in which every combination of choices is a valid architecture."""

import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from cellwright.genotype import Cell, Genotype, GenotypeError
from cellwright.spaces.base import Choices, Space, Strengths

Taken = Mapping[str, Sequence[int]]
"""For each group of decisions, the index of each choice taken."""


class ProductSpace(Space):
    """A space whose genotypes are all combinations of its choices.

    Subclasses define `name`, `decisions`, and two inverse functions between choices and genotypes.
    """

    @abstractmethod
    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype of the given choices."""

    @abstractmethod
    def taken(self, genotype: Genotype) -> Taken:
        """Return the choices of the genotype; raises GenotypeError if it is not in the space."""

    def choices(self, genotype: Genotype) -> Choices:
        """Return the choices of the genotype."""
        return {group: list(row) for group, row in self.taken(genotype).items()}

    def derive(self, strengths: Strengths) -> Genotype:
        """Return the genotype with the strongest choice for each decision."""
        return self.genotype(
            {group: [list(row).index(max(row)) for row in rows] for group, rows in strengths.items()}
        )

    def sample(self, rng: random.Random) -> Genotype:
        """Draw a genotype uniformly at random."""
        return self.genotype(
            {
                group: [rng.randrange(num_choices) for _ in range(num_decisions)]
                for group, (num_decisions, num_choices) in self.decisions.items()
            }
        )

    def check(self, genotype: Genotype) -> None:
        """Raise GenotypeError, naming the rule, if the genotype is not in the space."""
        self.taken(genotype)

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Yield all genotypes that differ in one decision, in a fixed order."""
        taken = self.taken(genotype)
        for group, (_, num_choices) in self.decisions.items():
            for decision, current in enumerate(taken[group]):
                for choice in range(num_choices):
                    if choice != current:
                        row = list(taken[group])
                        row[decision] = choice
                        yield self.genotype({**taken, group: row})

    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return a one-hot vector over all choices of all decisions."""
        taken = self.taken(genotype)
        return tuple(
            float(choice == current)
            for group, (_, num_choices) in self.decisions.items()
            for current in taken[group]
            for choice in range(num_choices)
        )

    def only_cell(self, genotype: Genotype, *, num_nodes: int) -> Cell:
        """Check that a genotype has only one cell, with one input and `num_nodes` nodes, and return the cell."""
        if genotype.space != self.name:
            raise GenotypeError(f"space must be {self.name!r}, got {genotype.space!r}")
        if list(genotype.cells) != [CELL]:
            raise GenotypeError(f"cells must be [{CELL!r}], got {list(genotype.cells)}")
        cell = genotype.cells[CELL]
        if (cell.num_inputs, len(cell.nodes)) != (1, num_nodes):
            raise GenotypeError(
                f"the cell must have 1 input and {num_nodes} nodes, got {cell.num_inputs} and {len(cell.nodes)}"
            )
        return cell


CELL = "cell"
"""Name of the only cell of a genotype."""
