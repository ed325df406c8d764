"""ASHA: Li et al. 2020, https://arxiv.org/abs/1810.05934."""

import bisect
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Fidelity, Suggestion
from cellwright.spec import AshaScheduler
from cellwright.strategies.sampled.base import SampledStrategy, Suggesting
from cellwright.strategies.sampled.fidelity_regression import FidelityRegression


@dataclass(slots=True)
class _Rung:
    """The evaluations at one fidelity."""

    fidelity: Fidelity
    ranked: list[tuple[float, int]] = field(default_factory=list)
    """Negated score and number of each finished evaluation, sorted."""
    waiting: list[tuple[float, int]] = field(default_factory=list)
    """The same entries as a heap, without promoted ones."""
    keys: set[str] = field(default_factory=set)
    """Keys of the architectures that were suggested at this fidelity."""


class Asha(Suggesting):
    """Evaluates a strategy's suggestions on the lowest rung, and promotes the best of each rung.

    One in `reduction` finished evaluations of a rung is promoted to the next rung. If none can be promoted, the
    strategy makes a new suggestion. The strategy learns from all rungs; `FidelityRegression` makes their scores
    comparable. With several objectives, the first one decides about promotions.

    Args:
        settings: number of rungs, and their fidelities.
        make_strategy: returns a new strategy.
    """

    def __init__(self, settings: AshaScheduler, make_strategy: Callable[[], SampledStrategy]) -> None:
        self._reduction = settings.reduction
        self._make_strategy = make_strategy
        self._strategy = make_strategy()
        super().__init__(self._strategy.objectives)
        self._rungs = [
            _Rung(Fidelity(**{settings.spends: settings.reduction**-left}))
            for left in reversed(range(settings.rungs))
        ]
        self._regression = FidelityRegression([rung.fidelity for rung in self._rungs], self.objectives)
        self._is_outdated = False

    def finalists(self, count: int) -> list[Candidate]:
        """Return the strategy's finalists, which are full evaluations if there are any."""
        return self._current_strategy().finalists(count)

    def choose(self, again: Sequence[Evaluation]) -> Candidate:
        """Return the strategy's choice."""
        return self._current_strategy().choose(again)

    def _take_in(self, evaluation: Evaluation) -> None:
        rung = self._rungs[self._regression.rung(evaluation)]
        rung.keys.add(self._strategy.key(evaluation.candidate))
        if evaluation.state == "done":
            entry = -self._strategy.score(evaluation), evaluation.number
            bisect.insort(rung.ranked, entry)
            heapq.heappush(rung.waiting, entry)
        self._inform(evaluation)

    def _inform(self, evaluation: Evaluation) -> None:
        """Let the strategy observe the evaluation, unless converted earlier scores have changed."""
        self._is_outdated |= self._regression.observe(evaluation, self._strategy.key(evaluation.candidate))
        if not self._is_outdated:
            self._strategy.observe([self._regression.at_full_fidelity(evaluation)])

    def _current_strategy(self) -> SampledStrategy:
        """Return the strategy; if converted scores have changed, a new one that has observed all evaluations."""
        if self._is_outdated:
            self._strategy = self._make_strategy()
            self._strategy.observe(map(self._regression.at_full_fidelity, self._known.values()))
            self._is_outdated = False
        return self._strategy

    def _next(self) -> Suggestion | None:
        for lower, upper in reversed(list(zip(self._rungs, self._rungs[1:], strict=False))):
            if (due := self._due(lower, upper)) is not None:
                return Suggestion(number=self._next_number, candidate=due, fidelity=upper.fidelity)
        return next(
            (replace(new, fidelity=self._rungs[0].fidelity) for new in self._current_strategy().suggest(1)),
            None,
        )

    def _due(self, lower: _Rung, upper: _Rung) -> Candidate | None:
        """Return the best candidate that is not promoted yet, if it is in the top 1/`reduction` of its rung."""
        while lower.waiting:
            entry = lower.waiting[0]
            candidate = self._known[entry[1]].candidate
            if self._strategy.key(candidate) in upper.keys:
                heapq.heappop(lower.waiting)
            elif bisect.bisect_left(lower.ranked, entry) < len(lower.ranked) // self._reduction:
                return candidate
            else:
                break
        return None
