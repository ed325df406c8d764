"""Fuses several scores by their ranks, as AZ-NAS does: https://arxiv.org/abs/2403.19232.

Ranks, unlike scores, need no common scale. The mean of their logarithms lets a bad rank outweigh a good one.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence


def fuse_among(scores: Mapping[str, float], reference: Mapping[str, Sequence[float]]) -> float:
    """Return the mean logarithm of an architecture's ranks among a reference sample.

    Args:
        scores: scores by proxy.
        reference: sorted scores of the sample by proxy.
    """
    return sum(math.log(rank_among(score, reference[name])) for name, score in scores.items()) / len(scores)


def rank_among(score: float, reference: Sequence[float]) -> float:
    """Return the rank, between 0 and 1, among sorted scores.

    Ranks are interpolated linearly between two scores. Beyond the ends they approach 0 or 1 without reaching them, so
    different scores have different ranks.
    """
    size = len(reference)
    low, high = bisect_left(reference, score), bisect_right(reference, score)
    if low < high:
        rank = (low + high + 1) / 2
    elif 0 < low < size:
        before, after = reference[low - 1], reference[low]
        rank = low + (score - before) / (after - before)
    else:
        spread = reference[-1] - reference[0] or 1.0
        distance = (reference[0] - score if low == 0 else score - reference[-1]) / spread
        rank = 1 / (1 + distance) if low == 0 else size + distance / (1 + distance)
    return rank / (size + 1)
