"""With hyperparameters, strategies treat the architecture as they do without, and decide the values beside it."""

import random

import numpy as np

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation
from cellwright.spaces import CandidateSpace
from cellwright.spaces.darts.space import Darts
from cellwright.strategies.sampled import Features
from cellwright.strategies.sampled.nsga2 import cross
from tests.strategies.sampled.evaluating import build, count_3x3, search

CELLS = Darts(primitives=("skip_connect", "sep_conv_3x3", "max_pool_3x3"), num_nodes=3)
RATES = {"retrain.learning_rate": (0.003, 0.01, 0.03)}
PLAIN, TUNED = CandidateSpace(CELLS), CandidateSpace(CELLS, RATES)


def untuned(candidate: Candidate) -> Candidate:
    return Candidate(genotype=candidate.genotype)


def evaluations(candidates: list[Candidate]) -> list[Evaluation]:
    return [
        Evaluation(number=number, candidate=candidate, metrics={"accuracy": count_3x3(candidate)})
        for number, candidate in enumerate(candidates)
    ]


def test_surrogates_see_the_architecture_as_they_do_without_and_each_value():
    candidates = [TUNED.sample(random.Random(seed)) for seed in range(20)]
    *ours, values = Features(TUNED)(candidates)
    theirs = Features(PLAIN)(list(map(untuned, candidates)))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    places = [RATES["retrain.learning_rate"].index(c.values["retrain.learning_rate"]) for c in candidates]
    assert values.ravel().tolist() == [place / 2 for place in places]


def test_nsga2_takes_the_edges_of_a_node_from_one_parent():
    rng = random.Random(0)
    for _ in range(30):
        parents = TUNED.sample(rng), TUNED.sample(rng)
        child = cross(TUNED, *parents, rng)
        assert child.values in [parent.values for parent in parents]
        for name, cell in child.genotype.cells.items():
            for place, node in enumerate(cell.nodes):
                assert node in [parent.genotype.cells[name].nodes[place] for parent in parents]


def test_reinforce_moves_the_policy_of_the_architecture_as_it_does_without():
    known = evaluations([TUNED.sample(random.Random(seed)) for seed in range(20)])
    tuned, plain = (build(space, {"kind": "reinforce"}) for space in (TUNED, PLAIN))
    tuned.observe(known)
    plain.observe(evaluations([untuned(evaluation.candidate) for evaluation in known]))
    for group, logits in plain.policy.logits.items():
        np.testing.assert_array_equal(tuned.policy.logits[group], logits)
    assert tuned.policy.logits["retrain.learning_rate"].any()


def test_the_predictor_finds_the_best_value_and_the_best_architecture():
    def score(candidate: Candidate) -> float:
        return count_3x3(candidate) + 3 * (candidate.values["retrain.learning_rate"] == 0.03)

    strategy = build(TUNED, {"kind": "predictor"})
    search(strategy, 50, score)
    (best,) = strategy.finalists(1)
    assert best.values == {"retrain.learning_rate": 0.03}
    assert count_3x3(best) >= 10
