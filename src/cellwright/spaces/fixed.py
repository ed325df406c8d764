"""The space of a single architecture, for searching only hyperparameters."""

import random
from collections.abc import Iterator, Mapping

from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces.base import Choices, Space, Strengths


class FixedSpace(Space):
    """The space of a single architecture, for searching only hyperparameters."""

    def __init__(self, genotype: Genotype) -> None:
        self.genotype = genotype
        self.name = genotype.space

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return no groups."""
        return {}

    def derive(self, strengths: Strengths) -> Genotype:
        """Return the only genotype."""
        return self.genotype

    def choices(self, genotype: Genotype) -> Choices:
        """Return no choices."""
        return {}

    def sample(self, rng: random.Random) -> Genotype:
        """Return the only genotype."""
        return self.genotype

    def check(self, genotype: Genotype) -> None:
        """Raise GenotypeError for any other genotype."""
        if genotype != self.genotype:
            raise GenotypeError(f"the genotype must be {self.genotype.to_line()}, got {genotype.to_line()}")

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Yield nothing."""
        yield from ()

    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return an empty vector."""
        return ()
