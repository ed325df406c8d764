"""Predicts scores at full fidelity from those at lower fidelities."""

from collections.abc import Sequence
from dataclasses import replace

from cellwright.evaluation import Evaluation, Fidelity, Objective

FIRST_PAIRS = 4
"""Minimum number of architectures with scores on two rungs for a regression."""
PRIOR_PAIRS = 4
"""Weight of the prior, in architectures, that score differences are the same on both rungs."""

Line = tuple[float, float, float]
"""Slope of a line, and a point on it."""


class FidelityRegression:
    """Converts scores of all fidelities to full fidelity, by regression from each rung to the next.

    Promotions depend on the lower score only, so they do not bias a regression on that score. The regression is
    repeated each time the number of promoted architectures has doubled.
    """

    def __init__(self, fidelities: Sequence[Fidelity], objectives: Sequence[Objective]) -> None:
        self._fidelities = list(fidelities)
        self._objectives = objectives
        self._done: list[dict[str, Evaluation]] = [{} for _ in fidelities]
        self._pairs: list[list[tuple[int, str]]] = [[] for _ in fidelities[1:]]
        self._used: list[list[tuple[int, str]]] = [[] for _ in fidelities[1:]]
        self._lines: list[dict[str, Line]] = [{} for _ in fidelities[1:]]

    def rung(self, evaluation: Evaluation) -> int:
        """Return the rung of the evaluation's fidelity."""
        return self._fidelities.index(evaluation.fidelity)

    def observe(self, evaluation: Evaluation, key: str) -> bool:
        """Learn from an evaluation of the architecture `key`; return whether converted earlier scores have changed."""
        if evaluation.state != "done":
            return False
        rung = self.rung(evaluation)
        self._done[rung].setdefault(key, evaluation)
        for lower in (rung - 1, rung):
            if 0 <= lower < len(self._pairs) and key in self._done[lower] and key in self._done[lower + 1]:
                self._pairs[lower].append((self._done[lower + 1][key].number, key))
                self._pairs[lower].sort()
        changed = [self._relearn(lower) for lower in range(len(self._pairs))]
        return any(changed)

    def at_full_fidelity(self, evaluation: Evaluation) -> Evaluation:
        """Return the evaluation with its scores converted to full fidelity."""
        if evaluation.state != "done":
            return evaluation
        metrics = dict(evaluation.metrics)
        for lines in self._lines[self.rung(evaluation) :]:
            for metric, (slope, here, there) in lines.items():
                metrics[metric] = there + slope * (metrics[metric] - here)
        return replace(evaluation, metrics=metrics)

    def _relearn(self, lower: int) -> bool:
        """Fit the lines from a rung to the next if it is time, and return whether they changed."""
        pairs = self._pairs[lower]
        used = pairs[: 1 << (len(pairs).bit_length() - 1)] if len(pairs) >= FIRST_PAIRS else []
        if used == self._used[lower]:
            return False
        self._used[lower] = used
        for metric in (objective.metric for objective in self._objectives):
            befores, afters = (
                [self._done[rung][key].metrics[metric] for _, key in used] for rung in (lower, lower + 1)
            )
            self._lines[lower][metric] = _line(befores, afters)
        return True


def _line(befores: Sequence[float], afters: Sequence[float]) -> Line:
    """Return the least squares line, with its slope shrunk towards 1."""
    before, after = sum(befores) / len(befores), sum(afters) / len(afters)
    square = sum((x - before) ** 2 for x in befores)
    product = sum((x - before) * (y - after) for x, y in zip(befores, afters, strict=True))
    prior = PRIOR_PAIRS * square / len(befores)
    return max(0.0, (product + prior) / (square + prior)) if square else 1.0, before, after
