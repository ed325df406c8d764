"""Local search: White et al. 2021, https://arxiv.org/abs/2005.02960."""

import heapq
import random
from collections.abc import Sequence

from cellwright.evaluation import Evaluation, Objective
from cellwright.genotype import Genotype
from cellwright.sampled._base import SampledStrategy
from cellwright.seeds import derive_seed
from cellwright.spaces import Space
from cellwright.spec import LocalSearchStrategy


class LocalSearch(SampledStrategy):
    """Tries the neighbours of the best architecture, and moves on as soon as one is better.

    At a local optimum, all of whose neighbours are known, it goes on with those of the next best instead of starting
    afresh. So what is tried follows from which architectures are known, not from a path through them.
    """

    settings: LocalSearchStrategy
    settings_type = LocalSearchStrategy

    def __init__(
        self, settings: LocalSearchStrategy, space: Space, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        super().__init__(settings, space, objectives, seed=seed)
        self._ranked: list[tuple[float, int]] = []
        self._centre: tuple[int, list[Genotype]] = (-1, [])

    def learn(self, evaluation: Evaluation) -> None:
        """Rank the evaluation among those whose neighbours are left to try."""
        heapq.heappush(self._ranked, (-self.score(evaluation), evaluation.number))

    def propose(self, rng: random.Random, attempt: int) -> Genotype:
        """Draw the first genotypes; then return an unknown neighbour of the best that has one."""
        if self.num_known >= self.settings.initial:
            while self._ranked:
                if (neighbour := self._unknown_neighbour(self._ranked[0][1])) is not None:
                    return neighbour
                heapq.heappop(self._ranked)
        return self.space.sample(rng)

    def _unknown_neighbour(self, number: int) -> Genotype | None:
        """Return the first in an order of chance that is not known; None where all are."""
        if self._centre[0] != number:
            neighbours = list(self.space.neighbours(self.evaluation(number).genotype))
            random.Random(derive_seed(self.seed, "neighbours", number)).shuffle(neighbours)
            self._centre = number, neighbours
        untried = self._centre[1]
        while untried and self.is_known(untried[-1]):
            untried.pop()
        return untried[-1] if untried else None
