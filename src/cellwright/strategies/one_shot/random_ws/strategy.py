"""Random search with weight sharing: Li and Talwalkar 2019, https://arxiv.org/abs/1902.07638."""

import math
import random
from collections.abc import Sequence

from cellwright.genotype import Genotype
from cellwright.strategies.one_shot.random_ws.section import RandomWsSection
from cellwright.strategies.one_shot.single_path import SinglePath

ROUND = 20


class RandomWs(SinglePath):
    """Trains random paths, then scores random candidates: the baseline for all other strategies."""

    settings: RandomWsSection

    @property
    def num_rounds(self) -> int:
        """Return the number of rounds, each with at most 20 candidates."""
        return math.ceil(self.settings.candidates / ROUND)

    def candidates(self, number: int, rng: random.Random) -> Sequence[Genotype]:
        """Draw the round's candidates."""
        left = self.settings.candidates - number * ROUND
        return [self.space.sample(rng) for _ in range(min(ROUND, left))]
