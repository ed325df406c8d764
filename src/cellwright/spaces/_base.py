"""What every search space can do."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator

from cellwright.genotype import Genotype


class Space(ABC):
    """A finite set of genotypes. Knows no torch: the suggestion service samples from it too."""

    name: str
    """The `space` of its genotypes."""

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
