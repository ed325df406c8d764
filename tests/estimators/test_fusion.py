import math

import pytest

from cellwright.estimators.zero_cost.fusion import rank_among
from cellwright.estimators.zero_cost.proxies import fuse_among

REFERENCE = (-1.0, 0.0, 0.0, 2.0)


@pytest.mark.parametrize(
    ("score", "rank"),
    [
        (-1.0, 1 / 5),
        (0.0, 2.5 / 5),
        (2.0, 4 / 5),
        (1.0, 3.5 / 5),
        (5.0, (4 + 0.5) / 5),
        (-4.0, 0.5 / 5),
    ],
)
def test_ranks_among_a_reference(score: float, rank: float):
    assert rank_among(score, REFERENCE) == pytest.approx(rank)


def test_better_scores_have_better_ranks_beyond_the_reference_too():
    ranks = [rank_among(score / 4, REFERENCE) for score in range(-40, 41)]
    assert ranks == sorted(set(ranks))
    assert 0 < ranks[0] < ranks[-1] < 1


def test_a_reference_of_equals():
    assert [rank_among(score, (3.0, 3.0)) for score in (2.0, 3.0, 4.0)] == pytest.approx(
        [0.5 / 3, 0.5, 2.5 / 3]
    )


def test_fusing_among_a_reference():
    reference = {"a": REFERENCE, "b": (0.0, 1.0, 2.0, 3.0)}
    fused = fuse_among({"a": 2.0, "b": 0.0}, reference)
    assert fused == pytest.approx((math.log(4 / 5) + math.log(1 / 5)) / 2)
