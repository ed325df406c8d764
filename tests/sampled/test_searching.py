"""What each strategy is good at, and what sets it apart."""

import random
import statistics
from typing import Any

import pytest

from cellwright.spaces import Darts, NasBench201
from tests.sampled.evaluating import build, count_3x3, search

DARTS = Darts(
    primitives=("skip_connect", "max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3"), num_nodes=4
)
CELLS = NasBench201()


@pytest.mark.parametrize("kind", ["regularized-evolution", "local-search", "reinforce", "predictor", "nsga2"])
def test_learning_beats_chance(kind: str):
    def mean_best(kind: str) -> float:
        runs = (search(build(DARTS, {"kind": kind}, seed=seed), 60, count_3x3) for seed in range(3))
        return statistics.fmean(max(count_3x3(e.genotype) for e in run) for run in runs)

    assert mean_best(kind) >= mean_best("random") + 1


def test_evolution_breeds_from_the_young_only():
    strategy = build(CELLS, {"kind": "regularized-evolution", "population": 4, "sample": 4})
    search(strategy, 12, lambda genotype: float(len(strategy.done)))
    young = [evaluation.genotype for evaluation in strategy.done[-4:]]
    child = strategy.propose(random.Random(0), 0)
    assert child in CELLS.neighbours(young[-1])


def test_local_search_tries_only_neighbours_of_the_best():
    strategy = build(CELLS, {"kind": "local-search", "initial": 3})
    for _ in range(3):
        search(strategy, 1, count_3x3)
    for _ in range(20):
        best = max(strategy.done, key=strategy.score)
        (suggestion,) = strategy.suggest(1)
        assert suggestion.genotype in CELLS.neighbours(best.genotype)
        strategy.observe([_scored(suggestion, -1.0)])


def _scored(suggestion: Any, score: float) -> Any:
    from dataclasses import replace

    return replace(suggestion.running, state="done", metrics={"accuracy": score})
