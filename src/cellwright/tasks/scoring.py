"""Confidence intervals of scores on a split."""

import math

from torch import Tensor

from cellwright.results import Interval

CONFIDENCE = 0.95


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return the 95 % interval of a proportion: Wilson 1927, https://doi.org/10.2307/2276774."""
    from scipy.stats import binomtest

    found = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(low=float(found.low), high=float(found.high))


def paired_difference(correct: Tensor, other_correct: Tensor) -> tuple[float, Interval]:
    """Return the difference in accuracy on the same examples, with its 95 % interval.

    Agresti and Min 2005, https://doi.org/10.1002/sim.1781: half an example is added to each cell of the table.

    Args:
        correct: bool (N,).
        other_correct: bool (N,).
    """
    from scipy.special import ndtri

    trials = len(correct)
    gains = int((correct & ~other_correct).sum())
    losses = int((~correct & other_correct).sum())
    centre = (gains - losses) / (trials + 2)
    quantile = float(ndtri((1 + CONFIDENCE) / 2))
    half = quantile * math.sqrt(gains + losses + 1 - (gains - losses) ** 2 / (trials + 2)) / (trials + 2)
    return (gains - losses) / trials, Interval(low=max(-1.0, centre - half), high=min(1.0, centre + half))
