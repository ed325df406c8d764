import random

import numpy as np
import pytest

from cellwright.candidate import Candidate
from cellwright.genotype import Cell, Edge, Genotype
from cellwright.spaces import CELL, CandidateSpace
from cellwright.spaces.chain.space import Chain
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.strategies.sampled import Features, Surrogate
from tests.strategies.sampled.evaluating import count_3x3

CELLS = NasBench201()


def _cell(*choices: int) -> Candidate:
    return Candidate(genotype=CELLS.genotype({CELL: choices}))


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))


def test_isomorphic_cells_have_the_same_paths():
    rng = random.Random(0)
    by_key: dict[str, list[Candidate]] = {}
    for genotype in (CELLS.sample(rng) for _ in range(3000)):
        by_key.setdefault(CELLS.isomorphism_key(genotype), []).append(Candidate(genotype=genotype))
    classes = [same for same in by_key.values() if len(same) > 1]
    assert len(classes) > 100
    features = Features(CandidateSpace(CELLS))
    for same in classes:
        paths, counts, _ = features(same)
        assert (paths == paths[0]).all()
        assert (counts[:, 4:] == counts[0, 4:]).all()


def test_what_leads_nowhere_does_not_count():
    features = Features(CandidateSpace(CELLS))
    none, skip, conv = 0, 1, 3
    dead_end = _cell(conv, skip, none, skip, none, conv)
    without = _cell(none, skip, none, skip, none, conv)
    for ours, theirs in zip(features([dead_end])[:2], features([without])[:2], strict=True):
        assert (ours == theirs).all()


def test_counts_are_those_of_the_paths_written_out():
    skip, conv, pool = 1, 3, 4
    # node 1 = conv(x); node 2 = x + pool(node 1); node 3 = conv(x) + skip(node 1) + conv(node 2)
    cell = _cell(conv, skip, pool, conv, skip, conv)
    _, (counts,), _ = Features(CandidateSpace(CELLS))([cell])
    # avg_pool_3x3, nor_conv_1x1, nor_conv_3x3 and all; paths: conv | conv | conv | conv pool conv
    living, most, least, mean = np.split(counts[:16], 4)
    assert living.tolist() == [1, 0, 3, 2]
    assert most.tolist() == [1, 0, 2, 3]
    assert least.tolist() == [0, 0, 1, 1]
    assert mean.tolist() == [0.25, 0, 1.25, 1.5]
    assert counts[16] == pytest.approx(np.log1p(4))


def test_a_long_chain_has_more_paths_than_could_be_listed():
    space = Chain(primitives=("nor_conv_3x3",), widths=(100,), num_layers=40)
    layers = tuple(tuple(Edge(source, "nor_conv_3x3") for source in range(layer + 1)) for layer in range(40))
    genotype = Genotype(space="chain", cells={CELL: Cell(num_inputs=1, nodes=layers, widths=(100,) * 40)})
    _, (counts,), _ = Features(CandidateSpace(space))([Candidate(genotype=genotype)])
    assert counts[-1] == pytest.approx(39 * np.log(2), rel=1e-4)


def test_unseen_scores_are_ranked_well_and_known_ones_are_no_surprise():
    space = CandidateSpace(Darts(primitives=("skip_connect", "sep_conv_3x3", "sep_conv_5x5"), num_nodes=3))
    rng = random.Random(0)
    candidates = [space.sample(rng) for _ in range(300)]
    scores = np.array([count_3x3(candidate) + 0.1 * rng.random() for candidate in candidates])
    groups = Features(space)(candidates)
    surrogate = Surrogate([group[:100] for group in groups], scores[:100])
    means, deviations = surrogate.predict(groups)
    assert np.corrcoef(_ranks(means[100:]), _ranks(scores[100:]))[0, 1] > 0.9
    assert deviations[:100].mean() < deviations[100:].mean()
    assert np.abs(means[:100] - scores[:100]).mean() < 0.3


def test_predictions_equal_those_of_the_textbook():
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=(30, 4)), rng.normal(size=(30, 3)), rng.normal(size=(30, 2))]
    surrogate = Surrogate([group[:20] for group in groups], groups[0][:20, 0])
    fit = surrogate.fit
    weights = np.array([0.5, 1.0, fit.choices])
    weights /= weights.sum()

    def distance(one: int, other: int) -> float:
        total = 0.0
        for place, (group, weight) in enumerate(zip(groups, weights, strict=True)):
            known = group[:20]
            gaps = (group[one] - group[other]) ** 2
            spread = 2 * known.var(axis=0)
            total += weight * ((gaps / spread).mean() if place == 1 else gaps.sum() / spread.sum())
        return float(total)

    def kernel(one: int, other: int) -> float:
        ratio = np.sqrt(3 * distance(one, other)) / fit.length
        return float((1 + ratio) * np.exp(-ratio))

    gram = np.array([[kernel(i, j) for j in range(20)] for i in range(20)]) + fit.noise * np.eye(20)
    targets = surrogate.quantiles(groups[0][:20, 0])
    cross = np.array([[kernel(i, j) for j in range(20)] for i in range(20, 30)])
    expected = fit.mean + cross @ np.linalg.inv(gram) @ (targets - fit.mean)
    np.testing.assert_allclose(surrogate.means([group[20:] for group in groups]), expected, atol=1e-9)


def test_further_features_count():
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=(200, 3)) for _ in range(3)]
    telling = rng.normal(size=(200, 1))
    surrogate = Surrogate([*(group[:100] for group in noise), telling[:100]], telling[:100, 0])
    means = surrogate.means([*(group[100:] for group in noise), telling[100:]])
    assert np.corrcoef(means, telling[100:, 0])[0, 1] > 0.8
