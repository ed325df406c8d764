"""A few years of the simulation, and what its parts are built on."""

import numpy as np
import pytest

from benchmarks.year import WEEKS, draw_correct, simulate, summarise
from cellwright.spec.gate import Gate
from cellwright.spec.policy import Policy


def test_under_the_policy_a_year_costs_a_third_and_is_about_as_good():
    years = [simulate(seed, Policy(), Gate()) for seed in range(4)]
    summary = summarise(years, [simulate(seed, None, Gate()) for seed in range(4)])
    assert years[0] == simulate(0, Policy(), Gate())
    assert all(sum(year.actions.values()) == WEEKS for year in years)
    assert summary.share_of_hours < 1 / 3
    assert summary.difference > -0.01
    assert summary.years_with_false_promotion == 0
    assert all(year.promotions >= 2 for year in years)


def test_a_gate_that_lets_all_pass_promotes_worse_versions():
    """What the simulation counts as a false promotion does occur in it."""
    careless = [simulate(seed, None, Gate(level=0.49)) for seed in range(3)]
    careful = [simulate(seed, None, Gate()) for seed in range(3)]
    assert sum(year.promotions for year in careless) > 2 * sum(year.promotions for year in careful)


@pytest.mark.parametrize(("new", "old"), [(0.9, 0.9), (0.92, 0.8), (0.99, 0.995)])
def test_models_are_right_as_often_as_their_true_scores_say(new: float, old: float):
    rng = np.random.default_rng(0)
    shares = np.mean([[x.mean() for x in draw_correct(new, old, rng)] for _ in range(60)], axis=0)
    assert shares == pytest.approx([new, old], abs=0.006)
