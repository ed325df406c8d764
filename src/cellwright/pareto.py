"""Pareto fronts, and how to choose one of their members."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from cellwright.evaluation import Objective

T = TypeVar("T")
Metrics = Mapping[str, float]


def dominates(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Return whether the scores, higher being better, are nowhere worse and somewhere better."""
    return all(a >= b for a, b in zip(ours, theirs, strict=True)) and tuple(ours) != tuple(theirs)


def pareto_front(metrics: Mapping[T, Metrics], objectives: Sequence[Objective]) -> list[T]:
    """Return the members that nothing dominates, sorted from the best by the first objective; ties keep their order."""
    scores = {name: _scores(found, objectives) for name, found in metrics.items()}
    front: dict[tuple[float, ...], T] = {}
    for name, ours in scores.items():
        if not any(dominates(theirs, ours) for theirs in scores.values()):
            front.setdefault(ours, name)
    return [front[key] for key in sorted(front, reverse=True)]


def knee(metrics: Mapping[T, Metrics], objectives: Sequence[Objective]) -> T:
    """Return the member of a front that is closest to the best in every objective, each scaled to the front's range."""
    scaled = _scaled(metrics, objectives)
    return min(scaled, key=lambda name: sum((1 - value) ** 2 for value in scaled[name]))


def weighted(
    metrics: Mapping[T, Metrics], objectives: Sequence[Objective], weights: Mapping[str, float]
) -> T:
    """Return the member with the largest weighted sum of objectives, each scaled to the front's range."""
    scaled = _scaled(metrics, objectives)
    factors = [weights.get(objective.metric, 0.0) for objective in objectives]
    return max(
        scaled, key=lambda name: sum(f * value for f, value in zip(factors, scaled[name], strict=True))
    )


def _scores(metrics: Metrics, objectives: Sequence[Objective]) -> tuple[float, ...]:
    return tuple(objective.score(metrics) for objective in objectives)


def _scaled(metrics: Mapping[T, Metrics], objectives: Sequence[Objective]) -> dict[T, tuple[float, ...]]:
    """Return the scores of each member, from 0 for the worst of the front to 1 for the best."""
    scores = {name: _scores(found, objectives) for name, found in metrics.items()}
    columns = list(zip(*scores.values(), strict=True))
    lows, highs = [min(column) for column in columns], [max(column) for column in columns]
    return {
        name: tuple(
            (value - low) / (high - low) if high > low else 1.0
            for value, low, high in zip(row, lows, highs, strict=True)
        )
        for name, row in scores.items()
    }
