"""The base class of all search spaces."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from cellwright.genotype import Genotype

Strengths = Mapping[str, Sequence[Sequence[float]]]
"""For each group of decisions, the strength of each choice, (decisions, choices)."""

Choices = Mapping[str, Sequence[int | None]]
"""For each group of decisions, the index of each choice taken; None if a decision does not apply."""


class Space(ABC):
    """A finite set of genotypes. Needs no torch, since the suggestion service samples from spaces too.

    One-shot strategies see a space as groups of decisions; all decisions of a group have the same choices. In a cell
    space, a group is a cell type, a decision an edge, and a choice a primitive.
    """

    name: str
    """The `space` field of its genotypes."""
    concatenates: bool = False
    """Whether a cell's output is the concatenation of all nodes, not the last node."""

    @classmethod
    def of(cls, section: Any) -> Self:
        """Build the space of a section."""
        raise NotImplementedError(f"{cls.__name__} has no section")

    @property
    @abstractmethod
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the numbers of decisions and of choices for each group."""

    @property
    def sum_indices(self) -> Mapping[str, Sequence[int]]:
        """Return the index of the sum that each decision of a group contributes to; by default, each has its own.

        In a cell space, this is the node that the edge leads to.
        """
        return {group: range(num_decisions) for group, (num_decisions, _) in self.decisions.items()}

    @abstractmethod
    def derive(self, strengths: Strengths) -> Genotype:
        """Return the genotype with the strongest choices."""

    @abstractmethod
    def choices(self, genotype: Genotype) -> Choices:
        """Return the choices of the genotype."""

    @abstractmethod
    def sample(self, rng: random.Random) -> Genotype:
        """Draw a genotype uniformly at random."""

    @abstractmethod
    def check(self, genotype: Genotype) -> None:
        """Raise GenotypeError, naming the rule, if the genotype is not in the space."""

    @abstractmethod
    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Yield all genotypes that differ in one decision, in a fixed order."""

    @abstractmethod
    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return a vector of fixed length that is different for any two genotypes."""

    def hand_designed(self, side: int, factor: float) -> Mapping[str, Genotype]:
        """Return hand-designed networks that the space includes, the best known for small budgets first.

        Args:
            side: the shorter side of the adapter's feature map.
            factor: width multiplier of the networks.
        """
        return {}

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return a text that is the same for all genotypes of the same network."""
        return genotype.isomorphism_key()

    def contains(self, genotype: Genotype) -> bool:
        """Return whether the genotype is in the space."""
        try:
            self.check(genotype)
        except ValueError:
            return False
        return True

    def mutate(self, genotype: Genotype, rng: random.Random) -> Genotype:
        """Draw a neighbour uniformly at random."""
        return rng.choice(list(self.neighbours(genotype)))
