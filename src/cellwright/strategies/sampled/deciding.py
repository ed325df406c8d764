"""Decides by partial training whether one network is better than another, and how much may be spent to find out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from cellwright.strategies.sampled.curves import Curve

PRIOR_MEAN, PRIOR_SPREAD = -0.03, 0.05
"""Prior of a challenger's gain over the best known network: mean and standard deviation, relative to the loss."""
SEED_SPREAD = 0.015
"""Standard deviation of a network's final loss between seeds, relative to the loss."""
EXTRAPOLATION_SPREAD = 0.15
"""Standard deviation of an extrapolated difference, relative to the remaining improvement of both networks."""
MAX_SHARING_COST = 0.01
"""Maximum fraction of the winner's loss that may be lost by training other networks too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """Normal distribution of a challenger's gain in loss, once both networks are fully trained."""

    gain: float
    """The mean; above 0 if the challenger is expected to be better."""
    spread: float

    @classmethod
    def of(cls, estimate: float, variance: float, prior_mean: float, prior_spread: float) -> Self:
        """Combine an estimate with a prior, by inverse variance."""
        trust = prior_spread**2 / (prior_spread**2 + variance)
        return cls(
            gain=trust * estimate + (1 - trust) * prior_mean,
            spread=math.sqrt(trust * variance),
        )

    @property
    def p_better(self) -> float:
        """Return the probability that the challenger is better."""
        return NormalDist().cdf(self.gain / self.spread)


def compare(
    challenger: Sequence[float],
    leader: Sequence[float],
    curves: tuple[Curve, Curve],
    *,
    now: float,
    end: float,
    prior_mean: float = PRIOR_MEAN,
) -> Posterior:
    """Return the challenger's gain over the leader at the end of training.

    The current difference is paired by example, and extrapolated by the curves. Its variance includes that of the
    examples, of the seeds, of the extrapolation, and of the curves' fits.

    Args:
        challenger: the challenger's loss on each example.
        leader: the leader's loss on the same examples.
        curves: curves of challenger and leader.
        now: fraction of the budget that each has used.
        end: fraction of the budget that the chosen network will have used.
        prior_mean: expected gain before training, relative to the loss.
    """
    saved = np.subtract(leader, challenger)
    improving, others = (curve.at(now) - curve.at(end) for curve in curves)
    final = curves[1].at(end)
    variance = (
        float(saved.var(ddof=1)) / len(saved)
        + 2 * (SEED_SPREAD * final) ** 2
        + (EXTRAPOLATION_SPREAD * (improving + others) / 2) ** 2
        + sum((curve.error * curve.at(now)) ** 2 for curve in curves)
    )
    estimate = float(saved.mean()) + improving - others
    return Posterior.of(estimate, variance, prior_mean * final, PRIOR_SPREAD * final)


def sharing_cost(leader: Curve, spent_on_others: float) -> float:
    """Return the relative increase of the leader's loss if this fraction of the budget is spent on others.

    It is small where the leader's curve is flat, so that much may be spent on others, and large where it is steep.
    """
    return leader.at(1 - spent_on_others) / leader.at(1.0) - 1
