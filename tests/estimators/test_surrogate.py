import random

import pytest

from cellwright.candidate import Candidate
from cellwright.estimators.base import Setting
from cellwright.estimators.surrogate.estimator import SurrogateScore
from cellwright.estimators.surrogate.section import SurrogateSection
from cellwright.evaluation import Evaluation, Fidelity
from cellwright.genotype import Genotype
from cellwright.spaces import build_space

SETTINGS = SurrogateSection(kind="surrogate", initial=20)


def quality(genotype: Genotype) -> float:
    return genotype.to_line().count("sep_conv") / 10


@pytest.fixture
def genotypes(tiny_setting: Setting) -> list[Genotype]:
    rng = random.Random(0)
    return [build_space(tiny_setting.space).sample(rng) for _ in range(80)]


@pytest.fixture
def earlier(genotypes: list[Genotype]) -> list[Evaluation]:
    return [
        Evaluation(number=n, candidate=Candidate(genotype=g), metrics={"accuracy": quality(g)})
        for n, g in enumerate(genotypes[:60])
    ]


def test_it_predicts_what_it_has_not_seen(genotypes, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    errors = [
        abs(estimator.estimate(g, earlier, seed=0)["predicted_accuracy"] - quality(g)) for g in genotypes[60:]
    ]
    spread = [abs(quality(g) - 0.25) for g in genotypes[60:]]
    assert sum(errors) < 0.7 * sum(spread)


def test_it_is_surer_of_what_it_knows(genotypes, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    known, unknown = (
        sum(estimator.estimate(g, earlier, seed=0)["predicted_accuracy_deviation"] for g in part)
        for part in (genotypes[:20], genotypes[60:])
    )
    assert known < unknown


def test_it_is_silent_while_there_is_little_to_learn_from(genotypes, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    assert estimator.estimate(genotypes[70], earlier[:19], seed=0) == {}
    assert estimator.estimate(genotypes[70], earlier[:20], seed=0)
    failed = [
        Evaluation(number=n, candidate=Candidate(genotype=g), state="failed")
        for n, g in enumerate(genotypes[:60])
    ]
    assert estimator.estimate(genotypes[70], failed, seed=0) == {}


def test_what_it_says_follows_from_the_evaluations(genotypes, earlier, tiny_setting: Setting):
    growing = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    for count in (20, 30, 45):
        growing.estimate(genotypes[70], earlier[:count], seed=0)
    anew = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    assert growing.estimate(genotypes[70], earlier, seed=0) == anew.estimate(genotypes[70], earlier, seed=0)


def hidden(genotype: Genotype) -> float:
    """A quality that no encoding shows."""
    return random.Random(genotype.to_line()).random()


def rung(genotypes: list[Genotype], first: int) -> list[Evaluation]:
    """Short trainings of the architectures, whose curves show what is hidden."""
    return [
        Evaluation(
            number=first + n,
            candidate=Candidate(genotype=g),
            metrics={"accuracy": 0.5 * hidden(g)},
            fidelity=Fidelity(epochs=1 / 3),
            curve=(0.1, 0.3 * hidden(g), 0.5 * hidden(g)),
        )
        for n, g in enumerate(genotypes)
    ]


def test_a_partial_curve_tells_what_the_encoding_does_not(genotypes, tiny_setting: Setting):
    full = [
        Evaluation(number=n, candidate=Candidate(genotype=g), metrics={"accuracy": hidden(g)})
        for n, g in enumerate(genotypes[:60])
    ]
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)

    def error(earlier: list[Evaluation]) -> float:
        return sum(
            abs(estimator.estimate(g, earlier, seed=0)["predicted_accuracy"] - hidden(g))
            for g in genotypes[60:]
        )

    blind, seeing = error(full), error([*rung(genotypes, 100), *full])
    assert seeing < 0.3 * blind


def test_curves_wait_for_enough_to_learn_from(genotypes, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    without = estimator.estimate(genotypes[70], earlier, seed=0)
    few = [*rung([genotypes[70], *genotypes[:19]], 100), *earlier]
    assert estimator.estimate(genotypes[70], few, seed=0) == without
    enough = [*rung([genotypes[70], *genotypes[:20]], 100), *earlier]
    assert estimator.estimate(genotypes[70], enough, seed=0) != without
