import doctest

from cellwright.strategies.sampled import base


def test_a_strategy_can_be_used_alone_as_its_docstring_says():
    results = doctest.testmod(base)
    assert results.attempted >= 9
    assert results.failed == 0
