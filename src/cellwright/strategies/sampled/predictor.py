"""Predictor-guided mutation: a surrogate selects which mutants of the best architectures to evaluate."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from statistics import fmean
from typing import Literal

import numpy as np
from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Objective
from cellwright.seeds import derive_seed
from cellwright.spaces import CandidateSpace
from cellwright.spec.strategy import SampledSection
from cellwright.strategies.sampled.base import SampledStrategy
from cellwright.strategies.sampled.features import Features
from cellwright.strategies.sampled.refitting import Refitted
from cellwright.strategies.sampled.surrogate import Draws, Surrogate

PARENTS, CHILDREN = 8, 30
"""Number of best architectures to mutate, and number of mutants of each."""
SECOND, GRANDCHILDREN = 5, 8
"""Number of mutants to mutate again, and number of mutants of each of them."""
STRANGERS = 40
"""Number of candidates drawn from the whole space."""
REFITS = 8
"""The surrogate is refitted when the number of evaluations has grown by 1/REFITS."""
FITTED = 300
"""Maximum number of evaluations to fit: two thirds are the best, the rest a sample of the others."""

SCORES = 0.75
"""Weight of a finalist's own scores in the choice; the rest is the weight of the surrogate's prediction."""


class PredictorSection(SampledSection):
    """Predictor-guided mutation: a Gaussian process over the cells' paths, and Thompson sampling."""

    implementation = "cellwright.strategies.sampled.predictor:Predictor"

    kind: Literal["predictor"]
    initial: int = Field(default=10, ge=2)
    """Number of random architectures before the first fit."""


@dataclass(frozen=True, slots=True)
class _Model:
    """The candidates, and the model to draw their scores from."""

    candidates: list[Candidate]
    draws: Draws


class Predictor(SampledStrategy):
    """Suggests by Thompson sampling: the candidate with the best score in one draw from the surrogate.

    Candidates are random ones, and mutants of the best architectures according to the surrogate, a Gaussian process.
    Where the surrogate is certain, its favourites are tried; where it is not, the draws explore. Parallel suggestions
    differ.
    """

    settings: PredictorSection

    def __init__(
        self, settings: PredictorSection, space: CandidateSpace, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        super().__init__(settings, space, objectives, seed=seed)
        self.features = Features(space)
        """Strategies of one space may share them."""
        self._neighbours = lru_cache(4 * PARENTS)(self._shuffled_neighbours)
        self._model = Refitted(self._learn_from, initial=settings.initial, refits=REFITS)

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Draw the initial candidates; then return the best candidate in one draw from the surrogate."""
        fitted = self._model.over(self)
        if fitted is None:
            return self.space.sample(rng)
        _, model = fitted
        drawn = model.draws.draw(np.random.default_rng(rng.getrandbits(64)))
        candidates = model.candidates
        order: list[int] = np.argsort(-drawn, kind="stable").tolist()
        unknown = (candidates[index] for index in order if not self.is_known(candidates[index]))
        return next(unknown, None) or self.mutate(rng.choice(candidates), rng)

    def finalists(self, count: int) -> list[Candidate]:
        """Return the best candidates by the surrogate's prediction, which is less affected by lucky scores."""
        if len(self.objectives) > 1 or len(self.done_numbers) < self.settings.initial:
            return super().finalists(count)
        eligible = {e.candidate for e in self.most_thorough(self.done)}
        best, _ = self._believe(self.done)
        return [candidate for candidate in best if candidate in eligible][:count]

    def choose(self, again: Sequence[Evaluation]) -> Candidate:
        """Return the best finalist by a weighted mean of its scores and the surrogate's prediction."""
        if len(self.done_numbers) < self.settings.initial:
            return super().choose(again)
        _, surrogate = self._believe([*self.done, *again])
        finalists = list(dict.fromkeys(evaluation.candidate for evaluation in again))
        beliefs = surrogate.means(self.features(finalists))
        scores = surrogate.quantiles([fmean(self.scores(candidate, again)) for candidate in finalists])
        return finalists[int(np.argmax(SCORES * scores + (1 - SCORES) * beliefs))]

    def _learn_from(self, numbers: list[int]) -> _Model:
        best, surrogate = self._believe([self.evaluation(number) for number in numbers])
        rng = random.Random(derive_seed(self.seed, "candidates", len(numbers)))
        evaluated = {self.key(self.evaluation(number).candidate) for number in numbers}
        mutants = [m for parent in best[:PARENTS] for m in self._mutants(parent, CHILDREN, evaluated)]
        second = rng.sample(mutants, min(SECOND, len(mutants)))
        candidates = [
            *mutants,
            *(m for parent in second for m in self._mutants(parent, GRANDCHILDREN, evaluated)),
            *(self.space.sample(rng) for _ in range(STRANGERS)),
        ]
        by_key = {self.key(candidate): candidate for candidate in candidates}
        new = [candidate for key, candidate in by_key.items() if key not in evaluated] or candidates
        return _Model(new, surrogate.draws(self.features(new)))

    def _believe(self, evaluations: Sequence[Evaluation]) -> tuple[list[Candidate], Surrogate]:
        """Fit a surrogate; return it and the candidates that it was fitted to, the best first."""
        ranked = sorted(evaluations, key=self.score, reverse=True)
        others = ranked[FITTED * 2 // 3 :]
        stride = max(1, -(-len(others) // (FITTED // 3)))
        fitted = ranked[: FITTED * 2 // 3] + others[::stride]
        groups = self.features([evaluation.candidate for evaluation in fitted])
        surrogate = Surrogate(groups, [self.score(evaluation) for evaluation in fitted])
        order = np.argsort(-surrogate.means(groups), kind="stable")
        return list(dict.fromkeys(fitted[index].candidate for index in order)), surrogate

    def _mutants(self, parent: Candidate, count: int, evaluated: set[str]) -> list[Candidate]:
        """Return the first new neighbours in a random order, which is fixed for each parent so that keys are cached."""
        new = (m for m in self._neighbours(parent) if self.key(m) not in evaluated)
        return list(islice(new, count))

    def _shuffled_neighbours(self, parent: Candidate) -> list[Candidate]:
        neighbours = list(self.space.neighbours(parent))
        random.Random(derive_seed(self.seed, "mutants", parent.line)).shuffle(neighbours)
        return neighbours
