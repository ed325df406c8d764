"""Screening of suggestions before any training: by costs, constraints and cheap estimators."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.cost import measure_cost
from cellwright.evaluation import Evaluation, build_objectives, without_incomparable
from cellwright.spaces import CandidateSpace
from cellwright.spec import SearchSpec
from cellwright.spec.estimators import COSTS

SEARCHED = 300
"""Number of architectures to try before a space is considered infeasible."""


class Screen:
    """Scores suggestions in the search's process, and passes those that are worth a trial.

    Args:
        chain: the estimators, each with the fraction of candidates that it passes.
        spec: the spec with the constraints.
        setting: task, data and settings of the estimators.
    """

    def __init__(self, chain: Sequence[tuple[Estimator, float]], spec: SearchSpec, setting: Setting) -> None:
        self.chain = chain
        self.spec = spec
        self.limits: dict[str, float] = spec.constraints.model_dump(exclude_none=True)
        self.setting = setting
        self._costs: dict[Candidate, Mapping[str, float]] = {}
        self.objectives = build_objectives(spec.objectives)

    def look_at(self, evaluation: Evaluation, earlier: Sequence[Evaluation], *, seed: int) -> Evaluation:
        """Return the evaluation with its cheap metrics, in state running, infeasible, pruned or failed.

        Args:
            evaluation: a new suggestion.
            earlier: evaluations that `keep` compares it with, and that estimators may learn from.
            seed: seed of the estimators' randomness.
        """
        try:
            metrics = self._cost(evaluation.candidate)
            evaluation = replace(evaluation, metrics=metrics)
            for estimator, keep in self.chain:
                if excess := self._excess(metrics):
                    return replace(evaluation, state="infeasible", reason=excess)
                metrics |= estimator.estimate(evaluation.candidate, earlier, seed=seed)
                if reason := _left_out(evaluation, estimator.metrics[0], keep, earlier):
                    return replace(evaluation, state="pruned", reason=reason)
            if excess := self._excess(metrics):
                return replace(evaluation, state="infeasible", reason=excess)
            return without_incomparable(evaluation, self.objectives)
        except CellwrightError as error:
            return replace(evaluation, state="failed", reason=str(error))

    def own(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics that the screening measures."""
        names = {*COSTS, *(name for estimator, _ in self.chain for name in estimator.metrics)}
        return {name: value for name, value in metrics.items() if name in names}

    def require_feasible(self, space: CandidateSpace, rng: random.Random) -> None:
        """Look for a feasible architecture, by hill climbing from random ones.

        Raises:
            CellwrightError: none was found; the message has the closest values.
        """
        if not self.limits:
            return
        nearest, excess = None, float("inf")
        for index in range(SEARCHED):
            candidate = (
                space.sample(rng) if nearest is None or index < SEARCHED // 10 else space.mutate(nearest, rng)
            )
            metrics = self._measure(candidate, rng)
            over = max(_at_most(metrics, name) / limit for name, limit in self.limits.items())
            if over <= 1:
                return
            if over < excess:
                nearest, excess, closest = candidate, over, metrics
        broken = [
            f"constraints.{name} must be reachable: the nearest architecture found has "
            f"{_at_most(closest, name):g}, got {limit:g}"
            for name, limit in self.limits.items()
            if _at_most(closest, name) > limit
        ]
        raise CellwrightError("; ".join(broken))

    def _measure(self, candidate: Candidate, rng: random.Random) -> Mapping[str, float]:
        metrics = self._cost(candidate)
        for estimator, _ in self.chain:
            if self.limits.keys() & set(estimator.metrics):
                metrics |= estimator.estimate(candidate, (), seed=rng.randrange(2**31))
        return metrics

    def _cost(self, candidate: Candidate) -> dict[str, float]:
        """Return the costs of the candidate's final network."""
        if candidate not in self._costs:
            setting = replace(self.setting, final_space=self.spec.tuned(candidate.values).final_space)
            self._costs[candidate] = measure_cost(candidate.genotype, setting)
        return dict(self._costs[candidate])

    def _excess(self, metrics: Mapping[str, float]) -> str | None:
        for name, limit in self.limits.items():
            if (most := _at_most(metrics, name)) > limit:
                return f"constraints.{name} must be at most {limit:g}, got {most:g}"
        return None


def _at_most(metrics: Mapping[str, float], name: str) -> float:
    """Return the upper bound of the metric if there is one, otherwise its value; 0 if it is unknown."""
    return metrics.get(f"{name}_at_most", metrics.get(name, 0.0))


def _left_out(evaluation: Evaluation, metric: str, keep: float, earlier: Sequence[Evaluation]) -> str | None:
    """Return why an architecture is not among the best fraction of those seen so far.

    None if it is, or if it has passed before and is evaluated again on a higher rung.
    """
    if keep == 1 or metric not in evaluation.metrics:
        return None
    if any(known.candidate == evaluation.candidate for known in earlier):
        return None
    score = evaluation.metrics[metric]
    seen = [known.metrics[metric] for known in earlier if metric in known.metrics]
    better = sum(other > score for other in seen)
    if better < keep * (len(seen) + 1):
        return None
    return f"{metric} {score:.4g} is less than that of {better} in {len(seen)} earlier architectures"
