import itertools

import numpy as np
import pytest

from cellwright.strategies.sampled.reinforce import _log_probability_gradient


def test_the_gradient_is_that_of_the_log_probability_of_free_choices():
    rng = np.random.default_rng(0)
    logits, choices = rng.normal(size=(3, 4)), [2, 0, 3]

    def log_probability(logits: np.ndarray) -> float:
        normalised = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return sum(normalised[decision, choice] for decision, choice in enumerate(choices))

    gradient = _log_probability_gradient(logits, choices, range(3))
    for place in itertools.product(range(3), range(4)):
        nudge = np.zeros((3, 4))
        nudge[place] = 1e-6
        slope = (log_probability(logits + nudge) - log_probability(logits - nudge)) / 2e-6
        assert gradient[place] == pytest.approx(slope, abs=1e-6)


def test_where_one_of_several_is_kept_the_gradient_is_that_of_one_softmax_over_all():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 4))
    gradient = _log_probability_gradient(logits, [None, 1, None], [0, 0, 0])
    expected = -np.exp(logits) / np.exp(logits).sum()
    expected[1, 1] += 1
    np.testing.assert_allclose(gradient, expected)
