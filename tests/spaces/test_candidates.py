import random

import pytest

from cellwright.candidate import Candidate
from cellwright.genotype import GenotypeError
from cellwright.spaces import CandidateSpace
from cellwright.spaces.darts.space import Darts

CELLS = Darts(primitives=("skip_connect", "sep_conv_3x3", "max_pool_3x3"), num_nodes=3)
SPACE = CandidateSpace(CELLS, {"retrain.learning_rate": (0.01, 0.1), "augment.flip": (True, False)})


def test_the_architecture_keeps_its_own_structure():
    assert SPACE.decisions == {**CELLS.decisions, "retrain.learning_rate": (1, 2), "augment.flip": (1, 2)}
    assert {group: SPACE.sum_indices[group] for group in CELLS.sum_indices} == CELLS.sum_indices
    candidate = SPACE.sample(random.Random(0))
    genotype = candidate.genotype
    assert SPACE.encode(candidate)[: len(CELLS.encode(genotype))] == CELLS.encode(genotype)
    assert {group: SPACE.choices(candidate)[group] for group in CELLS.decisions} == CELLS.choices(genotype)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 3, 10), [(0.0,), (0.5,), (1.0,)]),
        ((0.5, 0.2), [(0.0,), (1.0,)]),
        ((3, 1, 2), [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]),
        ((False, True), [(1.0, 0.0), (0.0, 1.0)]),
        (("adam", "sgd"), [(1.0, 0.0), (0.0, 1.0)]),
    ],
)
def test_numbers_in_order_are_places_and_all_else_is_one_hot(values, expected):
    space = CandidateSpace(CELLS, {"retrain.x": values})
    genotype = CELLS.sample(random.Random(0))
    candidates = [Candidate(genotype=genotype, values={"retrain.x": value}) for value in values]
    assert [space.encode_values(candidate) for candidate in candidates] == [[vector] for vector in expected]


def test_missing_values_are_completed_by_the_first():
    given = Candidate(genotype=CELLS.sample(random.Random(0)), values={"augment.flip": False})
    assert SPACE.complete(given).values == {"retrain.learning_rate": 0.01, "augment.flip": False}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"augment.flip": True},
            r"a candidate must have a value for each of \['augment.flip', 'retrain.l.*'\]",
        ),
        (
            {"augment.flip": 1, "retrain.learning_rate": 0.1},
            "augment.flip must be one of true, false, got 1",
        ),
    ],
)
def test_other_values_lie_outside(values, message):
    with pytest.raises(GenotypeError, match=message):
        SPACE.check(Candidate(genotype=CELLS.sample(random.Random(0)), values=values))
