import random

import pytest

from cellwright.estimators import Setting, SurrogateScore
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.spaces import build_space
from cellwright.spec import SurrogateEstimator

SETTINGS = SurrogateEstimator(kind="surrogate", initial=20)


def quality(genotype: Genotype) -> float:
    return genotype.to_line().count("sep_conv") / 10


@pytest.fixture
def genotypes(tiny_setting: Setting) -> list[Genotype]:
    rng = random.Random(0)
    return [build_space(tiny_setting.space).sample(rng) for _ in range(80)]


@pytest.fixture
def earlier(genotypes: list[Genotype]) -> list[Evaluation]:
    return [
        Evaluation(number=n, genotype=g, metrics={"accuracy": quality(g)})
        for n, g in enumerate(genotypes[:60])
    ]


def test_it_predicts_what_it_has_not_seen(genotypes, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting)
    errors = [
        abs(estimator.estimate(g, earlier, seed=0)["predicted_accuracy"] - quality(g)) for g in genotypes[60:]
    ]
    spread = [abs(quality(g) - 0.25) for g in genotypes[60:]]
    assert sum(errors) < 0.7 * sum(spread)


def test_it_is_surer_of_what_it_knows(genotypes, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting)
    known, unknown = (
        sum(estimator.estimate(g, earlier, seed=0)["predicted_accuracy_deviation"] for g in part)
        for part in (genotypes[:20], genotypes[60:])
    )
    assert known < unknown


def test_it_is_silent_while_there_is_little_to_learn_from(genotypes, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting)
    assert estimator.estimate(genotypes[70], earlier[:19], seed=0) == {}
    assert estimator.estimate(genotypes[70], earlier[:20], seed=0)
    failed = [Evaluation(number=n, genotype=g, state="failed") for n, g in enumerate(genotypes[:60])]
    assert estimator.estimate(genotypes[70], failed, seed=0) == {}


def test_what_it_says_follows_from_the_evaluations(genotypes, earlier, tiny_setting: Setting):
    growing = SurrogateScore(SETTINGS, tiny_setting)
    for count in (20, 30, 45):
        growing.estimate(genotypes[70], earlier[:count], seed=0)
    anew = SurrogateScore(SETTINGS, tiny_setting)
    assert growing.estimate(genotypes[70], earlier, seed=0) == anew.estimate(genotypes[70], earlier, seed=0)
