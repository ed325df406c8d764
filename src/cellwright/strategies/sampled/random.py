"""Random search, the baseline for all other strategies."""

import random
from typing import Literal

from cellwright.candidate import Candidate
from cellwright.spec.strategy import SampledSection
from cellwright.strategies.sampled.base import SampledStrategy


class RandomSearchSection(SampledSection):
    """Random search: the baseline."""

    implementation = "cellwright.strategies.sampled.random:RandomSearch"

    kind: Literal["random"]


class RandomSearch(SampledStrategy):
    """Draws architectures uniformly at random."""

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Draw a candidate."""
        return self.space.sample(rng)
