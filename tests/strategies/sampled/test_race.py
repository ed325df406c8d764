"""Races between networks with known learning curves."""

import random
from dataclasses import replace

import numpy as np
import pytest

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Objective, Suggestion
from cellwright.search.racing import MOST_ON_LOSERS
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.strategies.sampled.curves import SHORTEST, Curve, fit_curves
from cellwright.strategies.sampled.deciding import MAX_SHARING_COST, Posterior, compare, sharing_cost
from cellwright.strategies.sampled.race import GROWTH, Race, RaceSection, entrants_of

EXAMPLES = 50
"""Each as noisy as to stand for forty."""
POINT = 0.07
"""The share of the loss that one point of accuracy is worth."""
COUNT = 4


def draw_candidates() -> list[Candidate]:
    rng = random.Random(0)
    candidates = {
        c.line: c for c in (Candidate(genotype=NasBench201().sample(rng)) for _ in range(2 * COUNT))
    }
    return list(candidates.values())[:COUNT]


MEMBERS = draw_candidates()


class World:
    """Networks whose learning curves are known; their examples, seeds and checks are noisy, and curves cross.

    Args:
        rng: draws them.
        slope: the share of its loss that the last doubling of the budget saves a network, more or less.
    """

    def __init__(self, rng: np.random.Generator, slope: float) -> None:
        self.rng = rng
        self.points = np.concatenate([[0.0], rng.normal(-0.3, 0.6, COUNT - 1)])
        """Of accuracy, by which each is better than the first in the end."""
        self.final = 0.3 * (1 - POINT * self.points)
        exponent = rng.uniform(0.3, 0.7)
        self.exponents = exponent * rng.uniform(0.9, 1.1, COUNT)
        self.scales = rng.uniform(0.8, 1.25, COUNT) * slope * 0.3 / (2**exponent - 1)
        self.seeds = rng.normal(0, 0.2 * POINT, COUNT)
        self.examples = rng.normal(0, 0.02 * EXAMPLES**0.5, (COUNT, EXAMPLES))

    def difference(self, index: int, spent_on_others: float) -> float:
        """Return the points by which it is better than the first with the whole budget, if others had some of it."""
        shortfall = self.scales[index] * ((1 - spent_on_others) ** -self.exponents[index] - 1)
        return float((self.final[0] - self.final[index] - shortfall) / (0.3 * POINT))

    def train(self, suggestion: Suggestion) -> Evaluation:
        index = MEMBERS.index(suggestion.candidate)
        level = self.final[index]
        level += self.scales[index] * (suggestion.fidelity.epochs ** -self.exponents[index] - 1)
        losses = level * (1 + self.seeds[index] + self.rng.normal(0, 0.004) + self.examples[index])
        return replace(suggestion.done({"accuracy": 1 - level}), losses=tuple(losses.tolist()))


def new_race(on_losers: float | None = None) -> Race:
    """Return a race whose first decision comes once the losers have had that share of the budget together."""
    entrants = entrants_of((f"member {index}", member) for index, member in enumerate(MEMBERS))
    first = on_losers and on_losers / (COUNT - 1) / GROWTH ** (SHORTEST - 1)
    return Race(RaceSection(kind="race"), entrants, [Objective(metric="accuracy")], first=first)


def run(race: Race, world: World) -> list[Evaluation]:
    slices = []
    while suggestions := race.suggest(1):
        slices.append(world.train(suggestions[0]))
        race.observe(slices[-1:])
    return slices


@pytest.mark.parametrize("slope", [0.01, 0.05, 0.1])
def test_almost_never_a_network_wins_that_is_worse(slope: float) -> None:
    """Worse than the first with the whole budget: what the losers had counts, too, the most that a plan allows."""
    rng = np.random.default_rng(7)
    gains, differences = [], []
    for _ in range(150):
        world, race = World(rng, slope), new_race(MOST_ON_LOSERS)
        run(race, world)
        winner, now = MEMBERS.index(race.finalists(1)[0]), race.standing()
        gains.append(world.points[winner])
        differences.append(world.difference(winner, race.spent(now) - race.share(now.rounds)))
    assert np.mean(gains) >= 0
    assert np.mean(np.array(differences) < -0.3) <= 0.02
    assert np.mean(differences) > -0.25


def test_a_flat_curve_lets_a_much_better_network_win() -> None:
    gains = []
    for seed in range(20):
        world, race = World(np.random.default_rng(seed), 0.01), new_race()
        world.final[2], world.points[2] = 0.3 * (1 - 2 * POINT), 2.0
        run(race, world)
        gains.append(world.points[MEMBERS.index(race.finalists(1)[0])])
    assert np.mean(np.array(gains) == 2.0) >= 0.9


def test_a_steep_curve_leaves_losers_next_to_nothing() -> None:
    race = new_race()
    slices = run(race, World(np.random.default_rng(0), 0.4))
    now = race.standing()
    assert len(slices) <= 4 * COUNT
    assert race.spent(now) - race.share(now.rounds) < 0.05


def test_short_training_does_not_decide() -> None:
    """One that is far ahead early, and flat, loses to one that is steep, once that shows."""
    world = World(np.random.default_rng(3), 0.02)
    world.final[:] = 0.3, 0.3, 0.3, 0.24
    world.scales[3] *= 3
    first = [world.train(s) for s in new_race().suggest(COUNT)]
    means = [float(np.mean(slice_.losses)) for slice_ in first]
    assert means[3] == max(means)
    race = new_race()
    run(race, world)
    assert race.standing().leader.name == "member 3"


def test_the_state_follows_from_the_evaluations_in_any_order() -> None:
    race = new_race()
    slices = run(race, World(np.random.default_rng(1), 0.02))
    again = new_race()
    again.observe(random.Random(0).sample(slices, len(slices)))
    assert again.standing() == race.standing()
    assert again.suggest(1) == []


def test_what_fails_is_dropped_even_if_it_leads() -> None:
    race = new_race()
    for suggestion in race.suggest(COUNT):
        state = "failed" if suggestion.candidate == MEMBERS[0] else "done"
        race.observe([replace(World(np.random.default_rng(0), 0.1).train(suggestion), state=state)])
    now = race.standing()
    assert now.leader.name == "member 1"
    assert now.dropped == {"member 0": 1}


def test_several_slices_run_at_a_time_and_wait_for_each_other() -> None:
    race = new_race()
    suggestions = race.suggest(10)
    assert [s.candidate for s in suggestions] == MEMBERS
    assert race.suggest(1) == []


def test_curves_are_recovered_and_share_their_exponent() -> None:
    truth = {
        "steep": Curve(floor=0.2, scale=0.1, exponent=0.4),
        "flat": Curve(floor=0.3, scale=0.02, exponent=0.4),
    }
    shares = (0.01, 0.02, 0.04, 0.08)
    found = fit_curves(
        {name: [(share, curve.at(share)) for share in shares] for name, curve in truth.items()}
    )
    for name, curve in truth.items():
        assert found[name].exponent == 0.4
        assert found[name].at(1.0) == pytest.approx(curve.at(1.0))


def test_a_curve_that_rises_is_flat() -> None:
    (curve,) = fit_curves({"": [(0.1, 1.0), (0.2, 1.1), (0.4, 1.2)]}).values()
    assert curve.scale == 0
    assert 1.0 < curve.floor < 1.2


def test_a_curve_of_two_points_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 points, got 2"):
        fit_curves({"": [(0.1, 1.0), (0.2, 0.9)]})


def test_paired_examples_are_more_powerful_than_two_means() -> None:
    flat = (Curve(floor=1.0, scale=0.0, exponent=0.5),) * 2
    hard = np.random.default_rng(0).gamma(1, 1, 500)
    paired = compare(hard * 0.95, hard, flat, now=0.1, end=1.0)
    unpaired = compare(np.random.default_rng(1).permutation(hard) * 0.95, hard, flat, now=0.1, end=1.0)
    assert paired.p_better > unpaired.p_better
    assert paired.spread < unpaired.spread


def test_a_posterior_lies_between_the_estimate_and_the_prior() -> None:
    found = Posterior.of(0.1, 0.05**2, -0.1, 0.05)
    assert found.gain == pytest.approx(0.0)
    assert found.p_better == pytest.approx(0.5)
    assert found.spread == pytest.approx(0.05 / 2**0.5)


def test_the_cost_of_sharing_grows_with_the_slope() -> None:
    steep, flat = (Curve(floor=0.2, scale=scale, exponent=0.5) for scale in (0.1, 0.001))
    assert sharing_cost(flat, 0.3) < MAX_SHARING_COST < sharing_cost(steep, 0.3)
    assert sharing_cost(steep, 0.0) == 0
