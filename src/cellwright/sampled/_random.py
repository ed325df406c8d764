"""Random search, the baseline that everything else must beat."""

import random

from cellwright.genotype import Genotype
from cellwright.sampled._base import SampledStrategy


class RandomSearch(SampledStrategy):
    """Draws architectures, each equally likely."""

    def propose(self, rng: random.Random) -> Genotype:
        """Draw a genotype."""
        return self.space.sample(rng)
