"""What each strategy is good at, and what sets it apart."""

import random
import statistics
from typing import Any

import pytest

from cellwright.evaluation import Evaluation
from cellwright.spaces import CELL, CandidateSpace
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.strategies.sampled.reinforce import Reinforce
from tests.strategies.sampled.evaluating import build, count_3x3, search

DARTS = CandidateSpace(
    Darts(
        primitives=("skip_connect", "max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3"),
        num_nodes=4,
    )
)
CELLS = CandidateSpace(NasBench201())


@pytest.mark.parametrize(
    ("section", "evaluations"),
    [
        ({"kind": "regularized-evolution"}, 80),
        ({"kind": "local-search"}, 80),
        ({"kind": "reinforce"}, 80),
        ({"kind": "tpe"}, 60),
        ({"kind": "predictor"}, 30),
        ({"kind": "nsga2", "population": 8}, 40),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else str(value),
)
def test_learning_beats_chance(section: dict[str, Any], evaluations: int):
    def mean_best(section: dict[str, Any]) -> float:
        runs = (search(build(DARTS, section, seed=seed), evaluations, count_3x3) for seed in range(2))
        return statistics.fmean(max(count_3x3(e.candidate) for e in run) for run in runs)

    assert mean_best(section) >= mean_best({"kind": "random"}) + 1


def test_evolution_breeds_from_the_young_only():
    strategy = build(CELLS, {"kind": "regularized-evolution", "population": 4, "sample": 4})
    search(strategy, 12, lambda _: -float(len(strategy.done)))
    eldest_of_the_young = strategy.done[-4].candidate
    assert strategy.propose(random.Random(0), 0) in CELLS.neighbours(eldest_of_the_young)


def test_local_search_tries_neighbours_of_the_best_alone():
    strategy = build(CELLS, {"kind": "local-search", "initial": 3})
    search(strategy, 3, count_3x3)
    best = max(strategy.done, key=strategy.score).candidate
    for _ in range(10):
        (suggestion,) = strategy.suggest(1)
        assert suggestion.candidate in CELLS.neighbours(best)
        strategy.observe([suggestion.done({"accuracy": -1.0})])


def test_local_search_moves_on_to_what_is_better():
    strategy = build(CELLS, {"kind": "local-search", "initial": 1})
    search(strategy, 5, lambda _: float(len(strategy.done)))
    (suggestion,) = strategy.suggest(1)
    assert suggestion.candidate in CELLS.neighbours(strategy.done[-1].candidate)


def test_local_search_mostly_draws_afresh_at_a_local_optimum():
    strategy = build(CELLS, {"kind": "local-search", "initial": 1})
    (optimum,) = strategy.suggest(1)
    strategy.observe([optimum.done({"accuracy": 1.0})])
    around = {CELLS.isomorphism_key(neighbour) for neighbour in CELLS.neighbours(optimum.candidate)}
    around.discard(CELLS.isomorphism_key(optimum.candidate))
    search(strategy, len(around), lambda _: 0.0)
    assert {CELLS.isomorphism_key(e.candidate) for e in strategy.done[1:]} == around
    later = search(strategy, 30, lambda _: 0.0)[-30:]
    known = [e.candidate for e in strategy.done[:-30]]
    afresh = sum(not any(e.candidate in CELLS.neighbours(near) for near in known) for e in later)
    assert 15 < afresh < 30


def test_the_policy_moves_towards_what_is_rewarded():
    strategy: Reinforce = build(CELLS, {"kind": "reinforce"})
    search(strategy, 150, count_3x3)
    logits = strategy.policy.logits[CELL]
    assert (logits.argmax(axis=1) == NasBench201().primitives.index("nor_conv_3x3")).all()


def test_the_predictor_finds_in_fifty_what_chance_does_not_find_in_three_hundred():
    def best(kind: str, rounds: int) -> float:
        return max(count_3x3(e.candidate) for e in search(build(DARTS, {"kind": kind}), rounds, count_3x3))

    assert best("predictor", 50) > best("random", 300)


def test_the_predictor_believes_less_in_luck_than_scores_do():
    believed = lucky = 0.0
    for seed in range(4):
        noise = random.Random(seed)
        strategy = build(CELLS, {"kind": "predictor"}, seed=seed)
        done = search(strategy, 40, lambda c, noise=noise: count_3x3(c) + noise.gauss(0, 2))
        believed += count_3x3(strategy.finalists(1)[0])
        lucky += count_3x3(max(done, key=strategy.score).candidate)
    assert believed > lucky


def test_scores_on_fresh_seeds_decide_among_finalists():
    strategy = build(CELLS, {"kind": "predictor"})
    search(strategy, 40, count_3x3)
    finalists = strategy.finalists(3)
    for best in finalists:
        again = [
            Evaluation(number=0, repeat=1, candidate=c, metrics={"accuracy": 9.0 if c == best else -9.0})
            for c in finalists
        ]
        assert strategy.choose(again) == best


def test_the_score_of_the_search_counts_as_one_of_several_among_finalists():
    strategy = build(CELLS, {"kind": "random"})
    one, other = (strategy.suggest(1)[0] for _ in range(2))
    strategy.observe(
        suggestion.done({"accuracy": accuracy}) for suggestion, accuracy in ((one, 0.9), (other, 0.2))
    )
    again = [
        Evaluation(number=0, repeat=1, candidate=suggestion.candidate, metrics={"accuracy": accuracy})
        for suggestion, accuracy in ((one, 0.5), (other, 0.6))
    ]
    assert strategy.choose(again) == one.candidate
