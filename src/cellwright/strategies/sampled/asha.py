"""ASHA: Li et al. 2020, https://arxiv.org/abs/1810.05934."""

import bisect
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Fidelity, Suggestion
from cellwright.spec import AshaScheduler
from cellwright.strategies.sampled.base import SampledStrategy, Suggesting
from cellwright.strategies.sampled.levelling import Levelling


@dataclass(slots=True)
class _Rung:
    """What is done at one fidelity."""

    fidelity: Fidelity
    ranked: list[tuple[float, int]] = field(default_factory=list)
    """Worse-is-more score and number of each finished evaluation, in order."""
    waiting: list[tuple[float, int]] = field(default_factory=list)
    """A heap of those that are not promoted."""
    keys: set[str] = field(default_factory=set)
    """Architectures that are or were evaluated here."""


class Asha(Suggesting):
    """Evaluates what a strategy suggests on the lowest rung, and promotes the best of each rung.

    One in `reduction` of those done on a rung is suggested once more, on the next; the strategy is asked for another
    only where none is due. It learns from all rungs, with scores made comparable by `Levelling`. With several
    objectives the first one decides.

    Args:
        settings: how many rungs there are, and what they cost.
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
        self._levelling = Levelling([rung.fidelity for rung in self._rungs], self.objectives)
        self._is_outdated = False

    def finalists(self, count: int) -> list[Candidate]:
        """Return those of the strategy, among what was evaluated in full if anything was."""
        return self._current_strategy().finalists(count)

    def choose(self, again: Sequence[Evaluation]) -> Candidate:
        """Return the strategy's choice."""
        return self._current_strategy().choose(again)

    def _take_in(self, evaluation: Evaluation) -> None:
        rung = self._rungs[self._levelling.level(evaluation)]
        rung.keys.add(self._strategy.key(evaluation.candidate))
        if evaluation.state == "done":
            entry = -self._strategy.score(evaluation), evaluation.number
            bisect.insort(rung.ranked, entry)
            heapq.heappush(rung.waiting, entry)
        self._tell(evaluation)

    def _tell(self, evaluation: Evaluation) -> None:
        """Let the strategy observe it, unless the scores that it knows have changed since."""
        self._is_outdated |= self._levelling.observe(evaluation, self._strategy.key(evaluation.candidate))
        if not self._is_outdated:
            self._strategy.observe([self._levelling.levelled(evaluation)])

    def _current_strategy(self) -> SampledStrategy:
        """Return the strategy; a new one that observes everything again if the levelled scores have changed."""
        if self._is_outdated:
            self._strategy = self._make_strategy()
            self._strategy.observe(map(self._levelling.levelled, self._known.values()))
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
        """Return the best that is not promoted, if it is among the best one in `reduction`."""
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
