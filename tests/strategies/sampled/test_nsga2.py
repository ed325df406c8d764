import random

import numpy as np
import pytest

from cellwright.evaluation import Objective
from cellwright.pareto import dominates
from cellwright.spaces import CandidateSpace, Space
from cellwright.spaces.chain.space import Chain
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.strategies.sampled.nsga2 import along, cross, crowding_distances, front_numbers
from tests.strategies.sampled.evaluating import build


def _plain_front_numbers(rows: list[tuple[float, ...]]) -> list[int]:
    numbers: dict[int, int] = {}
    front = 0
    while len(numbers) < len(rows):
        left = [i for i in range(len(rows)) if i not in numbers]
        peeled = [i for i in left if not any(dominates(rows[j], rows[i]) for j in left)]
        numbers |= dict.fromkeys(peeled, front)
        front += 1
    return [numbers[i] for i in range(len(rows))]


@pytest.mark.parametrize("num_objectives", [1, 2, 3])
def test_fronts_equal_those_peeled_off_one_by_one(num_objectives: int):
    rng = random.Random(0)
    for _ in range(30):
        rows = [tuple(float(rng.randrange(6)) for _ in range(num_objectives)) for _ in range(20)]
        assert front_numbers(np.array(rows)).tolist() == _plain_front_numbers(rows)


def test_crowding_is_the_sum_of_the_gaps_in_each_objective():
    scores = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    assert crowding_distances(scores).tolist() == [np.inf, 1.5, 1.5, np.inf]


def test_a_direction_leads_to_its_end_of_the_front_and_never_behind_it():
    drawn = np.array([[9.0, 0.0], [6.0, 6.0], [5.0, 5.0], [0.0, 9.0]])
    front = np.array([[8.0, 1.0], [2.0, 7.0]])
    assert along(np.array([1.0, 1e-9]), drawn, front) == 0
    assert along(np.array([1e-9, 1.0]), drawn, front) == 3
    directions = np.abs(np.random.default_rng(0).standard_normal((100, 2)))
    assert {along(direction, drawn, front) for direction in directions} == {0, 1, 3}


@pytest.mark.parametrize(
    "architectures",
    [
        Darts(primitives=("skip_connect", "sep_conv_3x3", "max_pool_3x3"), num_nodes=4),
        NasBench201(),
        Chain(primitives=("skip_connect", "nor_conv_3x3"), widths=(50, 100), num_layers=5),
    ],
    ids=lambda space: space.name,
)
def test_a_child_has_every_choice_from_one_of_its_parents(architectures: Space):
    space = CandidateSpace(architectures, {"retrain.learning_rate": (0.01, 0.1)})
    rng = random.Random(0)
    for _ in range(30):
        one, other = space.sample(rng), space.sample(rng)
        child = cross(space, one, other, rng)
        space.check(child)
        for group, row in space.choices(child).items():
            parents = zip(space.choices(one)[group], space.choices(other)[group], strict=True)
            assert all(choice in pair for choice, pair in zip(row, parents, strict=True))


def test_both_ends_of_the_front_are_found():
    objectives = (Objective(metric="convolutions"), Objective(metric="skips"))
    strategy = build(CandidateSpace(NasBench201()), {"kind": "nsga2"}, objectives=objectives)
    seen = set()
    for _ in range(300):
        (suggestion,) = strategy.suggest(1)
        names = [
            edge.primitive for node in suggestion.candidate.genotype.cells["cell"].nodes for edge in node
        ]
        metrics = {
            "convolutions": float(names.count("nor_conv_3x3")),
            "skips": float(names.count("skip_connect")),
        }
        seen.add(tuple(metrics.values()))
        strategy.observe([suggestion.done(metrics)])
    assert {(6.0, 0.0), (3.0, 3.0)} <= seen
    assert max(skips for _, skips in seen) >= 5
