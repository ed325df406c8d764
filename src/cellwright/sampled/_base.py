"""What every sampled strategy is."""

import bisect
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from cellwright.evaluation import Evaluation, Objective
from cellwright.genotype import Genotype
from cellwright.pareto import pareto_front
from cellwright.seeds import derive_seed
from cellwright.spaces import Space
from cellwright.spec import SampledSection

ATTEMPTS = 1000
"""Proposals in a row that may be known already before a space counts as used up."""


class SampledStrategy(ABC):
    """Proposes architectures and learns from evaluations of them.

    The state follows from the evaluations alone: a strategy that is made anew and observes the same ones, in whatever
    order and however often, suggests the same. Evaluations are folded in the order of their numbers, so that which
    trial ends first changes nothing but what is known yet. Knows no torch: the suggestion service runs it.

    Args:
        settings: a section of the class's `settings_type`.
        space: where architectures come from.
        objectives: what is optimised, the most important one first.
        seed: all randomness follows from it.
    """

    settings_type: ClassVar[type[SampledSection]] = SampledSection

    def __init__(
        self, settings: SampledSection, space: Space, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        self.settings = settings
        self.space = space
        self.objectives = tuple(objectives)
        self.seed = seed
        self._known: dict[int, Evaluation] = {}
        self._keys: dict[str, int] = {}
        self._done: list[int] = []

    def suggest(self, count: int) -> list[Genotype]:
        """Return as many architectures as asked, unlike each other and all known ones; fewer in a used-up space.

        Each counts as running from here on, under the next free number.
        """
        suggestions = []
        for _ in range(count):
            number = max(self._known, default=-1) + 1
            genotype = self._new(number)
            if genotype is None:
                break
            self.observe([Evaluation(number=number, genotype=genotype, state="running")])
            suggestions.append(genotype)
        return suggestions

    def observe(self, evaluations: Iterable[Evaluation]) -> None:
        """Learn from evaluations: late, repeated, failed, in any order; `running` ones say what is under way."""
        for evaluation in evaluations:
            known = self._known.get(evaluation.number)
            if known is not None and known.state != "running":
                continue
            self._known[evaluation.number] = evaluation
            self._keys[self.space.isomorphism_key(evaluation.genotype)] = evaluation.number
            if evaluation.state == "done":
                bisect.insort(self._done, evaluation.number)

    @property
    def done(self) -> Sequence[Evaluation]:
        """Return the finished evaluations, in the order in which they were suggested."""
        return [self._known[number] for number in self._done]

    def finalists(self, count: int) -> list[Genotype]:
        """Return the architectures to score again on fresh seeds: with several objectives the front first."""
        found = {evaluation.genotype: evaluation.metrics for evaluation in self.done}
        best: list[Genotype] = []
        while found and len(best) < count:
            front = pareto_front(found, self.objectives)
            best += front
            for genotype in front:
                del found[genotype]
        return best[:count]

    def score(self, evaluation: Evaluation) -> float:
        """Return the first objective, turned so that more is better."""
        return self.objectives[0].score(evaluation.metrics)

    @abstractmethod
    def propose(self, rng: random.Random) -> Genotype:
        """Return a genotype to evaluate, which may be known; asked again, with the generator gone on, if it is."""

    def _new(self, number: int) -> Genotype | None:
        rng = random.Random(derive_seed(self.seed, "suggest", number))
        for _ in range(ATTEMPTS):
            genotype = self.propose(rng)
            if self.space.isomorphism_key(genotype) not in self._keys:
                return genotype
        return None
