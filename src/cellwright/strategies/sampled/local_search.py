"""Local search: White et al. 2021, https://arxiv.org/abs/2005.02960."""

import heapq
import math
import random
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Objective
from cellwright.seeds import derive_seed
from cellwright.spaces import CandidateSpace
from cellwright.spec.strategy import SampledSection
from cellwright.strategies.sampled.base import SampledStrategy

FRESH = 0.8
"""Probability of a random candidate while the best is a local optimum."""


class LocalSearchSection(SampledSection):
    """Local search: https://arxiv.org/abs/2005.02960."""

    implementation = "cellwright.strategies.sampled.local_search:LocalSearch"

    kind: Literal["local-search"]
    initial: int = Field(default=20, ge=1)
    """Number of random architectures before the neighbours of the best are tried."""


class LocalSearch(SampledStrategy):
    """Tries the neighbours of the best architecture, and moves on as soon as one is better.

    If all neighbours of the best are known, it is a local optimum. Then most candidates are drawn at random, and others
    are neighbours of the next best architecture. Proposals thus depend on the set of known architectures only, not on a
    path through them.
    """

    settings: LocalSearchSection

    def __init__(
        self,
        settings: LocalSearchSection,
        space: CandidateSpace,
        objectives: Sequence[Objective],
        *,
        seed: int,
    ) -> None:
        super().__init__(settings, space, objectives, seed=seed)
        self._ranked: list[tuple[float, int]] = []
        self._best = (math.inf, 0)
        self._centre: tuple[int, list[Candidate]] = (-1, [])

    def learn(self, evaluation: Evaluation) -> None:
        """Insert the evaluation into the ranking of those with neighbours left to try."""
        entry = -self.score(evaluation), evaluation.number
        heapq.heappush(self._ranked, entry)
        self._best = min(self._best, entry)

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Draw the initial candidates; then return an unknown neighbour of the best, and drop it if it has none."""
        if self.num_known >= self.settings.initial:
            while self._ranked:
                if (neighbour := self._unknown_neighbour(self._ranked[0][1])) is not None:
                    leaves = self._ranked[0] != self._best and rng.random() < FRESH
                    return self.space.sample(rng) if leaves else neighbour
                heapq.heappop(self._ranked)
        return self.space.sample(rng)

    def _unknown_neighbour(self, number: int) -> Candidate | None:
        """Return the first unknown neighbour in a random order, or None."""
        if self._centre[0] != number:
            neighbours = list(self.space.neighbours(self.evaluation(number).candidate))
            random.Random(derive_seed(self.seed, "neighbours", number)).shuffle(neighbours)
            self._centre = number, neighbours
        untried = self._centre[1]
        while untried and self.is_known(untried[-1]):
            untried.pop()
        return untried[-1] if untried else None
