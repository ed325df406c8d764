"""Regularized evolution: Real et al. 2019, https://arxiv.org/abs/1802.01548."""

import random
from typing import Literal

from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.spec.strategy import SampledSection
from cellwright.strategies.sampled.base import SampledStrategy


class RegularizedEvolutionSection(SampledSection):
    """Regularized evolution: https://arxiv.org/abs/1802.01548."""

    implementation = "cellwright.strategies.sampled.regularized_evolution:RegularizedEvolution"

    kind: Literal["regularized-evolution"]
    population: int = Field(default=10, ge=2)
    """Number of youngest architectures, from which the next one is bred."""
    sample: int = Field(default=5, ge=1)
    """Number of them to draw; the best of these is mutated."""


class RegularizedEvolution(SampledStrategy):
    """Mutates the best of a few random members of the population, which consists of the latest finished evaluations.

    Members die of age, not of a bad score, so a lucky score is not bred from forever.
    """

    settings: RegularizedEvolutionSection

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Draw random candidates until the population is full, then mutate; more than once if mutants are known."""
        population = self.done_numbers[-self.settings.population :]
        if self.num_known < self.settings.population or not population:
            return self.space.sample(rng)
        drawn = rng.sample(population, min(self.settings.sample, len(population)))
        candidate = max((self.evaluation(number) for number in drawn), key=self.score).candidate
        for _ in range(1 + attempt // 10):
            candidate = self.mutate(candidate, rng)
        return candidate
