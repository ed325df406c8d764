import random
from pathlib import Path

import pytest

from cellwright.estimators.base import Setting
from cellwright.estimators.shared_weights.estimator import SharedWeights
from cellwright.estimators.shared_weights.section import SharedWeightsSection
from cellwright.progress import Silent
from cellwright.spaces import CandidateSpace, build_space

SETTINGS = SharedWeightsSection(kind="shared-weights", epochs=12, batch_size=20, learning_rate=0.1)


class Counting(Silent):
    def __init__(self) -> None:
        self.epochs = 0

    def advance(self, task, done, total, metrics) -> None:
        self.epochs += task == "search"


@pytest.fixture
def candidates(tiny_setting: Setting):
    rng = random.Random(0)
    space = CandidateSpace(build_space(tiny_setting.space))
    return [space.sample(rng) for _ in range(4)]


def test_shared_weights_score_and_are_trained_once(candidates, tiny_setting: Setting, tmp_path: Path):
    scores = []
    for expected in (12, 0):
        progress = Counting()
        estimator = SharedWeights(SETTINGS, tiny_setting, seed=3)
        estimator.prepare(tmp_path, progress)
        assert progress.epochs == expected
        scores.append([estimator.estimate(c, (), seed=0)["shared_accuracy"] for c in candidates])
    assert scores[0] == scores[1]
    assert max(scores[0]) > 0.5, "better than a third, which is chance"
    assert len(set(scores[0])) > 1


def test_a_score_leaves_no_trace(candidates, tiny_setting: Setting, tmp_path: Path):
    estimator = SharedWeights(SETTINGS, tiny_setting, seed=3)
    estimator.prepare(tmp_path, Silent())
    first = estimator.estimate(candidates[0], (), seed=0)
    estimator.estimate(candidates[1], (), seed=0)
    assert estimator.estimate(candidates[0], (), seed=0) == first
