"""Extrapolates learning curves: loss(t) = floor + scale · t^-exponent, where t is the fraction of the budget spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

K = TypeVar("K")

EXPONENTS = (0.2, 0.3, 0.4, 0.55, 0.75, 1.0)
USUAL, DOUBT = 0.4, 0.02
"""The usual exponent, and the relative error that deviating from it by a factor of e costs, which matters for short
curves."""
SHORTEST = 3
"""Minimum number of points to fit a curve."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A fitted learning curve."""

    floor: float
    scale: float
    exponent: float
    error: float = 0.0
    """Root mean square of the fit's relative errors."""

    def at(self, share: float) -> float:
        """Return the loss at this fraction of the budget."""
        return self.floor + self.scale * float(share**-self.exponent)

    def slope(self, share: float) -> float:
        """Return the decrease of the loss in the last doubling of the budget, up to this fraction."""
        return self.at(share / 2) - self.at(share)


def fit_curves(points: Mapping[K, Sequence[tuple[float, float]]]) -> dict[K, Curve]:
    """Fit a curve to each series of (fraction, loss), minimising relative errors, with one common exponent.

    Raises:
        ValueError: a series is shorter than `SHORTEST`.
    """
    for key, series in points.items():
        if len(series) < SHORTEST:
            raise ValueError(f"a curve must have at least {SHORTEST} points, got {len(series)} for {key}")

    def misfit(exponent: float) -> float:
        errors = sum(len(series) * _fit(series, exponent).error ** 2 for series in points.values())
        return float(errors + (DOUBT * np.log(exponent / USUAL)) ** 2)

    exponent = min(EXPONENTS, key=misfit)
    return {key: _fit(series, exponent) for key, series in points.items()}


def _fit(series: Sequence[tuple[float, float]], exponent: float) -> Curve:
    """Return the best curve with this exponent, with no negative parameter."""
    shares, losses = np.array(series).T
    falling = shares**-exponent
    rows = np.column_stack([np.ones_like(falling), falling]) / losses[:, None]
    parts = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=None)[0]
    if parts.min() < 0:
        alone = int(parts.argmax())
        parts = np.zeros(2)
        parts[alone] = rows[:, alone].sum() / (rows[:, alone] ** 2).sum()
    error = float(np.sqrt(((rows @ parts - 1) ** 2).mean()))
    return Curve(floor=float(parts[0]), scale=float(parts[1]), exponent=exponent, error=error)
