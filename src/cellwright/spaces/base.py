"""What every search space can do."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from cellwright.genotype import Genotype

Strengths = Mapping[str, Sequence[Sequence[float]]]
"""For each group of decisions, how strong each choice is, (decisions, choices)."""

Choices = Mapping[str, Sequence[int | None]]
"""For each group of decisions, the choice taken, by its place; None where there is nothing to decide."""


class Space(ABC):
    """A finite set of genotypes. Knows no torch: the suggestion service samples from it too.

    One-shot strategies see a space as groups of decisions, all decisions of a group with the same choices: in a
    cell space a group is a kind of cell, a decision an edge, a choice a primitive.
    """

    name: str
    """The `space` of its genotypes."""
    concatenates: bool = False
    """Whether a cell's output is all of its nodes, concatenated, rather than the last one."""

    @classmethod
    def of(cls, section: Any) -> Self:
        """Return the space that a section of its kind describes."""
        raise NotImplementedError(f"{cls.__name__} has no section")

    @property
    @abstractmethod
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return each group's number of decisions and of choices."""

    @property
    def meetings(self) -> Mapping[str, Sequence[int]]:
        """Return for each decision of a group the place where it adds up with others; by default each has its own.

        In a cell space it is the node that the edge leads to.
        """
        return {group: range(num_decisions) for group, (num_decisions, _) in self.decisions.items()}

    @abstractmethod
    def derive(self, strengths: Strengths) -> Genotype:
        """Return the genotype of the strongest choices."""

    @abstractmethod
    def choices(self, genotype: Genotype) -> Choices:
        """Return the choices that make up the genotype."""

    @abstractmethod
    def sample(self, rng: random.Random) -> Genotype:
        """Draw a genotype, each equally likely."""

    @abstractmethod
    def check(self, genotype: Genotype) -> None:
        """Raise GenotypeError, naming the rule, where the genotype lies outside."""

    @abstractmethod
    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Yield every genotype that differs in one decision, in a fixed order."""

    @abstractmethod
    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return a vector of fixed length that tells any two genotypes apart."""

    def hand_designed(self, side: int, factor: float) -> Mapping[str, Genotype]:
        """Return the networks of the space that people have designed, the best known for small budgets first.

        Args:
            side: the shorter side of the feature map that the task's adapter gives.
            factor: by which they are wider than they were designed.
        """
        return {}

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return one text for all genotypes that build the same network."""
        return genotype.isomorphism_key()

    def contains(self, genotype: Genotype) -> bool:
        """Tell whether the genotype lies inside."""
        try:
            self.check(genotype)
        except ValueError:
            return False
        return True

    def mutate(self, genotype: Genotype, rng: random.Random) -> Genotype:
        """Return a neighbour, each equally likely."""
        return rng.choice(list(self.neighbours(genotype)))
