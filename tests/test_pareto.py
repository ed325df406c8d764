import random

import pytest

from cellwright.evaluation import Objective
from cellwright.pareto import dominates, knee, pareto_front, weighted

ACCURACY, LATENCY = Objective(metric="accuracy"), Objective(metric="latency_ms", direction="minimize")
OBJECTIVES = (ACCURACY, LATENCY)


def metrics(accuracy: float, latency_ms: float) -> dict[str, float]:
    return {"accuracy": accuracy, "latency_ms": latency_ms}


FRONT = {"best": metrics(0.95, 10.0), "middle": metrics(0.93, 3.0), "fastest": metrics(0.5, 1.0)}


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [((1, 1), (1, 0), True), ((1, 1), (1, 1), False), ((2, 0), (1, 1), False), ((0, 0), (1, 1), False)],
)
def test_dominance(ours, theirs, expected: bool):
    assert dominates(ours, theirs) is expected


def test_the_front_is_what_nothing_beats_best_first():
    beaten = {"slow": metrics(0.93, 3.1), "worse": metrics(0.4, 1.0), "copy": metrics(0.93, 3.0)}
    assert pareto_front({**FRONT, **beaten}, OBJECTIVES) == ["best", "middle", "fastest"]


def test_the_front_equals_its_definition():
    rng = random.Random(0)
    points = {index: metrics(rng.randrange(20), rng.randrange(20)) for index in range(200)}
    front = pareto_front(points, OBJECTIVES)
    scores = {name: (p["accuracy"], -p["latency_ms"]) for name, p in points.items()}
    undominated = {s for s in scores.values() if not any(dominates(other, s) for other in scores.values())}
    assert {scores[name] for name in front} == undominated
    assert len(front) == len(undominated)


def test_the_knee_is_near_the_best_of_everything():
    assert knee(FRONT, OBJECTIVES) == "middle"
    assert knee({"only": metrics(0.9, 1.0)}, OBJECTIVES) == "only"


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"accuracy": 1.0}, "best"),
        ({"latency_ms": 1.0}, "fastest"),
        ({"accuracy": 1.0, "latency_ms": 1.0}, "middle"),
    ],
)
def test_weights_decide(weights: dict[str, float], expected: str):
    assert weighted(FRONT, OBJECTIVES, weights) == expected
