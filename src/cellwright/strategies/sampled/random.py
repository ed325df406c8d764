"""Random search, the baseline that everything else must beat."""

import random

from cellwright.genotype import Genotype
from cellwright.spec import RandomSearchStrategy
from cellwright.strategies.sampled.base import SampledStrategy


class RandomSearch(SampledStrategy):
    """Draws architectures, each equally likely."""

    settings_type = RandomSearchStrategy

    def propose(self, rng: random.Random, attempt: int) -> Genotype:
        """Draw a genotype."""
        return self.space.sample(rng)
