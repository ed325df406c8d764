"""Tree-structured Parzen estimator: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4."""

import math
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Objective
from cellwright.spaces import CandidateSpace
from cellwright.spec.strategy import SampledSection
from cellwright.strategies.sampled.base import SampledStrategy

Shares = Mapping[str, NDArray[np.float64]]
"""Logarithms of the choices' probabilities for each group, (decisions, choices)."""


class TpeSection(SampledSection):
    """Tree-structured Parzen estimator: https://papers.nips.cc/paper/4443."""

    implementation = "cellwright.strategies.sampled.tpe:Tpe"

    kind: Literal["tpe"]
    initial: int = Field(default=10, ge=2)
    """Number of random architectures before the first that is modelled."""
    good: float = Field(default=0.2, gt=0, lt=1)
    """Fraction of the evaluations that count as good."""
    candidates: int = Field(default=24, ge=1)
    """Number of draws from the model of the good, of which the most promising is evaluated."""


class Tpe(SampledStrategy):
    """Models the choices of good and of other architectures, and proposes what is typical of the good ones.

    The two models treat decisions as independent, so each is a table of frequencies, smoothed by one additional
    observation that is spread evenly over the choices. Of several draws from the model of the good, the one with the
    highest ratio of probabilities is proposed, which maximises the expected improvement.
    """

    settings: TpeSection

    def __init__(
        self, settings: TpeSection, space: CandidateSpace, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        super().__init__(settings, space, objectives, seed=seed)
        self._models = lru_cache(1)(self._fit)

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Draw the initial candidates; then the most promising of several, flatter the more draws were known."""
        num_done = len(self.done_numbers)
        if self.num_known < self.settings.initial or num_done < 2:
            return self.space.sample(rng)
        good, others = self._models(num_done)
        noise, flatness = np.random.default_rng(rng.getrandbits(64)), 1 + attempt / 5
        drawn = [
            self.space.derive(
                {
                    group: (shares / flatness + noise.gumbel(size=shares.shape)).tolist()
                    for group, shares in good.items()
                }
            )
            for _ in range(self.settings.candidates)
        ]
        return max(drawn, key=lambda candidate: self._sum(good, candidate) - self._sum(others, candidate))

    def _fit(self, num_done: int) -> tuple[Shares, Shares]:
        """Return the models of the good and of the other evaluations, of which there are so many."""
        ranked = sorted(self.done, key=self.score, reverse=True)
        num_good = min(num_done - 1, math.ceil(self.settings.good * num_done))
        return self._shares(ranked[:num_good]), self._shares(ranked[num_good:])

    def _shares(self, evaluations: Sequence[Evaluation]) -> Shares:
        """Return the model of some evaluations."""
        counts = {
            group: np.full((decisions, choices), 1 / choices)
            for group, (decisions, choices) in self.space.decisions.items()
        }
        for evaluation in evaluations:
            for group, choices in self.space.choices(evaluation.candidate).items():
                for decision, choice in enumerate(choices):
                    if choice is not None:
                        counts[group][decision, choice] += 1
        return {group: np.log(rows / rows.sum(axis=1, keepdims=True)) for group, rows in counts.items()}

    def _sum(self, shares: Shares, candidate: Candidate) -> float:
        """Return the logarithm of a candidate's probability."""
        return sum(
            float(shares[group][decision, choice])
            for group, choices in self.space.choices(candidate).items()
            for decision, choice in enumerate(choices)
            if choice is not None
        )
