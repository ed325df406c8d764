"""Whether one network is better than another, from what both have shown so far, and what it may cost to find out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from cellwright.strategies.sampled.curves import Curve

PRIOR_MEAN, PRIOR_SPREAD = -0.03, 0.05
"""What a challenger is expected to gain over the best known network, and how far that varies, as shares of its loss."""
SEED_SPREAD = 0.015
"""How far the final loss of a network varies with the seed, as a share of it."""
EXTRAPOLATION_SPREAD = 0.15
"""How far the extrapolation of a difference is off, as a share of what both still improve."""
TAX = 0.01
"""The share of its loss that the winner may lose because others were trained too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """What is known of the loss that a challenger saves, once both are trained to the end: a normal distribution."""

    gain: float
    """Its mean, above 0 where the challenger is expected to be better."""
    spread: float

    @classmethod
    def of(cls, estimate: float, variance: float, prior_mean: float, prior_spread: float) -> Self:
        """Return the estimate, drawn towards the prior by as much as it is uncertain."""
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
    """Return what the challenger gains over the leader at the end.

    The difference today is paired, example by example; the curves say how it changes. Its variance is that of the
    examples, of the seeds, of the extrapolation, and of the losses about curves that do not fit them.

    Args:
        challenger: its loss on each example.
        leader: the leader's, on the same examples.
        curves: theirs, in this order.
        now: the share of the budget that each has had.
        end: the share that the one which is chosen will have had.
        prior_mean: expected gain before anything was seen, as a share of the loss.
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


def tax(leader: Curve, spent_on_others: float) -> float:
    """Return the share of its loss that the leader loses where this share of the budget goes to others.

    Little where its curve is flat: there much may be spent on others, and almost nothing where it is steep.
    """
    return leader.at(1 - spent_on_others) / leader.at(1.0) - 1
