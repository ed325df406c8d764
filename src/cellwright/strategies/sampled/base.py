"""The base class of sampled strategies."""

import bisect
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from statistics import fmean

from cellwright.candidate import Candidate
from cellwright.evaluation import FULL, Evaluation, Objective, Suggestion
from cellwright.pareto import pareto_front
from cellwright.seeds import derive_seed
from cellwright.spaces import CandidateSpace
from cellwright.spec import SampledSection
from cellwright.strategies.sampled.walk import Walk

ATTEMPTS = 50
"""Maximum number of known proposals for one suggestion, before unknown candidates are drawn instead."""
CACHED = 1 << 13
"""Size of the least recently used cache of isomorphism keys."""
PARENTS = 40
"""Size of the least recently used cache of neighbours."""


class Suggesting(ABC):
    """Makes the suggestions of a search: a strategy, or a fidelity scheduler around one."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.objectives = tuple(objectives)
        self._known: dict[int, Evaluation] = {}
        self._next_number = 0

    def suggest(self, count: int) -> list[Suggestion]:
        """Return `count` suggestions, different from each other and from running ones; fewer if the space is exhausted.

        From now on, each counts as running under its number.
        """
        suggestions: list[Suggestion] = []
        while len(suggestions) < count and (suggestion := self._next()) is not None:
            self.observe([suggestion.running])
            suggestions.append(suggestion)
        return suggestions

    def observe(self, evaluations: Iterable[Evaluation]) -> None:
        """Learn from evaluations, which may be late, repeated, failed, running, and in any order.

        Only evaluations in state `done` are learnt from. If several have the same number, the first one counts. Scores
        on fresh seeds (`repeat`) are ignored, so that no architecture is known better than others.
        """
        for evaluation in evaluations:
            known = self._known.get(evaluation.number)
            if evaluation.repeat or (known is not None and known.state != "running"):
                continue
            self._known[evaluation.number] = evaluation
            self._next_number = max(self._next_number, evaluation.number + 1)
            self._take_in(evaluation)

    @abstractmethod
    def _next(self) -> Suggestion | None:
        """Return the next suggestion, or None if the space is exhausted."""

    @abstractmethod
    def _take_in(self, evaluation: Evaluation) -> None:
        """Process an evaluation that is new, or was running until now."""

    @abstractmethod
    def finalists(self, count: int) -> list[Candidate]:
        """Return the candidates to repeat on fresh seeds, the best first."""

    @abstractmethod
    def choose(self, again: Sequence[Evaluation]) -> Candidate:
        """Return the best finalist by the first objective.

        Args:
            again: one or more evaluations of each finalist on fresh seeds.
        """


class SampledStrategy(Suggesting):
    """Proposes architectures and learns from their evaluations.

    The state depends on the evaluations only: a new strategy that observes the same ones, in any order and any number
    of times, makes the same suggestions. Running suggestions matter too, so they are observed as `running`. Evaluations
    are processed in the order of their numbers, so it does not matter which trial ends first. Needs no torch, since the
    suggestion service runs strategies.

    A strategy is usable after its constructor:

    >>> from cellwright.evaluation import Objective
    >>> from cellwright.spaces import CandidateSpace
    >>> from cellwright.spaces.nasbench201.space import NasBench201
    >>> from cellwright.strategies.sampled.predictor import Predictor, PredictorSection
    >>> section, objectives = PredictorSection(kind="predictor"), [Objective(metric="accuracy")]
    >>> strategy = Predictor(section, CandidateSpace(NasBench201()), objectives, seed=0)
    >>> (suggestion,) = strategy.suggest(1)
    >>> strategy.observe([suggestion.done({"accuracy": 0.9})])
    >>> strategy.finalists(1) == [suggestion.candidate]
    True

    Args:
        settings: the strategy's section of the spec.
        space: the space of candidates.
        objectives: the objectives, the most important one first.
        seed: seed of all randomness.
    """

    def __init__(
        self, settings: SampledSection, space: CandidateSpace, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        super().__init__(objectives)
        self.settings = settings
        self.space = space
        self.seed = seed
        self.key = lru_cache(CACHED)(space.isomorphism_key)
        self.neighbours = lru_cache(PARENTS)(lambda candidate: tuple(space.neighbours(candidate)))
        self._keys: set[str] = set()
        self._done: list[int] = []
        self._walk = Walk(space, random.Random(derive_seed(seed, "walk")))

    def learn(self, evaluation: Evaluation) -> None:  # noqa: B027 - optional
        """Process a finished evaluation; called once for each, in any order."""

    @property
    def num_known(self) -> int:
        """Return the number of known evaluations, including running ones."""
        return len(self._known)

    @property
    def done_numbers(self) -> list[int]:
        """Return the sorted numbers of finished evaluations."""
        return self._done

    def evaluation(self, number: int) -> Evaluation:
        """Return the known evaluation with this number."""
        return self._known[number]

    @property
    def done(self) -> list[Evaluation]:
        """Return the finished evaluations, sorted by number."""
        return [self._known[number] for number in self._done]

    def is_known(self, candidate: Candidate) -> bool:
        """Return whether a candidate with the same network is known."""
        return self.key(candidate) in self._keys

    def mutate(self, candidate: Candidate, rng: random.Random) -> Candidate:
        """Draw a neighbour uniformly at random."""
        return rng.choice(self.neighbours(candidate))

    def score(self, evaluation: Evaluation) -> float:
        """Return the first objective, negated if it is minimised, so that higher is better."""
        return self.objectives[0].score(evaluation.metrics)

    def finalists(self, count: int) -> list[Candidate]:
        """Return the best candidates, of full evaluations if there are any; with several objectives, the front."""
        evaluations = self.most_thorough(self.done)
        if len(self.objectives) == 1:
            return [e.candidate for e in sorted(evaluations, key=self.score, reverse=True)[:count]]
        found = {evaluation.candidate: evaluation.metrics for evaluation in evaluations}
        best: list[Candidate] = []
        while found and len(best) < count:
            front = pareto_front(found, self.objectives)
            best += front
            for candidate in front:
                del found[candidate]
        return best[:count]

    def choose(self, again: Sequence[Evaluation]) -> Candidate:
        """Return the best finalist by its mean score, which includes that of the search."""
        finalists = dict.fromkeys(evaluation.candidate for evaluation in again)
        return max(finalists, key=lambda candidate: fmean(self.scores(candidate, again)))

    def scores(self, candidate: Candidate, again: Sequence[Evaluation]) -> list[float]:
        """Return all scores of a finalist: that of the search, and those on fresh seeds."""
        evaluations = (*self.most_thorough(self.done), *again)
        return [self.score(evaluation) for evaluation in evaluations if evaluation.candidate == candidate]

    @staticmethod
    def most_thorough(evaluations: Sequence[Evaluation]) -> Sequence[Evaluation]:
        """Return the full evaluations, or if there are none, all."""
        return [e for e in evaluations if e.fidelity == FULL] or evaluations

    @abstractmethod
    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Return a candidate to evaluate.

        Args:
            rng: generator for this suggestion.
            attempt: number of earlier proposals that were already known; explore further as it grows.
        """

    def _next(self) -> Suggestion | None:
        candidate = self._unevaluated()
        return None if candidate is None else Suggestion(number=self._next_number, candidate=candidate)

    def _take_in(self, evaluation: Evaluation) -> None:
        self._keys.add(self.key(evaluation.candidate))
        if evaluation.state == "done":
            bisect.insort(self._done, evaluation.number)
            self.learn(evaluation)

    def _unevaluated(self) -> Candidate | None:
        rng = random.Random(derive_seed(self.seed, "suggest", self._next_number))
        for attempt in range(ATTEMPTS):
            candidate = self.propose(rng, attempt)
            if not self.is_known(candidate):
                return candidate
        for _ in range(ATTEMPTS):
            candidate = self.space.sample(rng)
            if not self.is_known(candidate):
                return candidate
        return self._walk.first_without(self.is_known)
