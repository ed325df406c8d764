"""Predictor-guided mutation: a surrogate says which mutants of the best are worth an evaluation."""

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
"""How many of the best are mutated, and how many mutants of each are candidates."""
SECOND, GRANDCHILDREN = 5, 8
"""How many of the mutants are mutated in turn, and how many mutants of each of them are candidates."""
STRANGERS = 40
"""Candidates that are drawn from the whole space."""
REFITS = 8
"""The surrogate is fitted again when there are one part in so many more evaluations."""
FITTED = 300
"""Most evaluations that a surrogate is fitted to: two thirds of them the best, the rest spread over the others."""

SCORES = 0.75
"""How much a finalist's own scores count in the choice; the rest is what the surrogate makes of all scores."""


class PredictorSection(SampledSection):
    """Predictor-guided mutation: a Gaussian process over the cells' paths, and Thompson sampling."""

    implementation = "cellwright.strategies.sampled.predictor:Predictor"

    kind: Literal["predictor"]
    initial: int = Field(default=10, ge=2)
    """Architectures that are drawn before there is a predictor."""


@dataclass(frozen=True, slots=True)
class _Model:
    """What suggestions are drawn from."""

    candidates: list[Candidate]
    draws: Draws


class Predictor(SampledStrategy):
    """Suggests by Thompson sampling: the candidate that is best in one draw of what the scores may truly be.

    Candidates are strangers and mutants of those that the surrogate, a Gaussian process, believes to be the best. So
    where the surrogate is sure its favourites are tried, where it is not there is variety, and suggestions that run
    beside each other differ.
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
        """Draw the first candidates; then return the candidate that is best in a draw from the surrogate."""
        fitted = self._model.over(self)
        if fitted is None:
            return self.space.sample(rng)
        _, model = fitted
        drawn = model.draws.draw(np.random.default_rng(rng.getrandbits(64)))
        candidates = model.candidates
        order: list[int] = np.argsort(-drawn, kind="stable").tolist()
        unknown = (candidates[place] for place in order if not self.is_known(candidates[place]))
        return next(unknown, None) or self.mutate(rng.choice(candidates), rng)

    def finalists(self, count: int) -> list[Candidate]:
        """Return those that the surrogate believes to be the best, not those with a lucky score."""
        if len(self.objectives) > 1 or len(self.done_numbers) < self.settings.initial:
            return super().finalists(count)
        eligible = {e.candidate for e in self.most_thorough(self.done)}
        best, _ = self._believe(self.done)
        return [candidate for candidate in best if candidate in eligible][:count]

    def choose(self, again: Sequence[Evaluation]) -> Candidate:
        """Return the best by the mean of all scores and, where they are close, by what the surrogate believes."""
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
        """Fit a surrogate; return the candidates that it was fitted to, the best first."""
        ranked = sorted(evaluations, key=self.score, reverse=True)
        others = ranked[FITTED * 2 // 3 :]
        stride = max(1, -(-len(others) // (FITTED // 3)))
        fitted = ranked[: FITTED * 2 // 3] + others[::stride]
        groups = self.features([evaluation.candidate for evaluation in fitted])
        surrogate = Surrogate(groups, [self.score(evaluation) for evaluation in fitted])
        order = np.argsort(-surrogate.means(groups), kind="stable")
        return list(dict.fromkeys(fitted[place].candidate for place in order)), surrogate

    def _mutants(self, parent: Candidate, count: int, evaluated: set[str]) -> list[Candidate]:
        """Return the first new neighbours in a random order, always the same, so that most keys are cached."""
        new = (m for m in self._neighbours(parent) if self.key(m) not in evaluated)
        return list(islice(new, count))

    def _shuffled_neighbours(self, parent: Candidate) -> list[Candidate]:
        neighbours = list(self.space.neighbours(parent))
        random.Random(derive_seed(self.seed, "mutants", parent.line)).shuffle(neighbours)
        return neighbours
