"""The networks that are made worse on purpose, fewer than in the benchmark."""

import pytest

from benchmarks.gate import FEW, WORSE, equal, passes, splits, trained


@pytest.mark.parametrize("kind", WORSE)
def test_worse_ones_are_refused_also_where_they_score_more(kind: str):
    train, test = splits()
    champion = trained(train, 1000)
    assert not any(passes(WORSE[kind](train, test, seed), champion, test) for seed in range(2))


def test_a_better_one_passes_and_an_equal_one_does_not():
    train, test = splits()
    assert passes(trained(train, 0), trained(train[:FEW], 1000), test)
    assert not passes(equal(train, test, 0), trained(train, 1000), test)
