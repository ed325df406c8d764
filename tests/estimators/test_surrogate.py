import random
from dataclasses import replace

import pytest

from cellwright.candidate import Candidate
from cellwright.estimators.base import Setting
from cellwright.estimators.surrogate.estimator import SurrogateScore
from cellwright.estimators.surrogate.section import SurrogateSection
from cellwright.evaluation import Evaluation, Fidelity
from cellwright.spaces import CandidateSpace, build_space

SETTINGS = SurrogateSection(kind="surrogate", initial=20)


def quality(candidate: Candidate) -> float:
    return candidate.line.count("sep_conv") / 10


@pytest.fixture
def candidates(tiny_setting: Setting) -> list[Candidate]:
    rng = random.Random(0)
    space = CandidateSpace(build_space(tiny_setting.space))
    return [space.sample(rng) for _ in range(80)]


@pytest.fixture
def earlier(candidates: list[Candidate]) -> list[Evaluation]:
    return [
        Evaluation(number=n, candidate=c, metrics={"accuracy": quality(c)})
        for n, c in enumerate(candidates[:60])
    ]


def test_it_predicts_what_it_has_not_seen(candidates, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    errors = [
        abs(estimator.estimate(c, earlier, seed=0)["predicted_accuracy"] - quality(c))
        for c in candidates[60:]
    ]
    spread = [abs(quality(c) - 0.25) for c in candidates[60:]]
    assert sum(errors) < 0.7 * sum(spread)


def test_it_learns_from_hyperparameters(candidates, tiny_setting: Setting):
    rates = (0.003, 0.01, 0.03, 0.1)
    tuned = [
        Candidate(genotype=c.genotype, values={"retrain.learning_rate": rates[n % 4]})
        for n, c in enumerate(candidates)
    ]
    earlier = [
        Evaluation(number=n, candidate=c, metrics={"accuracy": n % 4 / 4}) for n, c in enumerate(tuned[:60])
    ]
    setting = replace(tiny_setting, hyperparameters={"retrain.learning_rate": rates})
    estimator = SurrogateScore(SETTINGS, setting, seed=0)
    found = [estimator.estimate(c, earlier, seed=0)["predicted_accuracy"] for c in tuned[60:]]
    assert max(abs(score - n % 4 / 4) for n, score in enumerate(found)) < 0.1


def test_it_is_more_certain_of_known_candidates(candidates, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    known, unknown = (
        sum(estimator.estimate(c, earlier, seed=0)["predicted_accuracy_deviation"] for c in part)
        for part in (candidates[:20], candidates[60:])
    )
    assert known < unknown


def test_it_predicts_nothing_while_there_is_little_to_learn_from(candidates, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    assert estimator.estimate(candidates[70], earlier[:19], seed=0) == {}
    assert estimator.estimate(candidates[70], earlier[:20], seed=0)
    failed = [Evaluation(number=n, candidate=c, state="failed") for n, c in enumerate(candidates[:60])]
    assert estimator.estimate(candidates[70], failed, seed=0) == {}


def test_what_it_says_follows_from_the_evaluations(candidates, earlier, tiny_setting: Setting):
    growing = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    for count in (20, 30, 45):
        growing.estimate(candidates[70], earlier[:count], seed=0)
    anew = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    assert growing.estimate(candidates[70], earlier, seed=0) == anew.estimate(candidates[70], earlier, seed=0)


def hidden(candidate: Candidate) -> float:
    """A quality that no encoding shows."""
    return random.Random(candidate.line).random()


def rung(candidates: list[Candidate], first: int) -> list[Evaluation]:
    """Short trainings of the architectures, whose curves show what is hidden."""
    return [
        Evaluation(
            number=first + n,
            candidate=c,
            metrics={"accuracy": 0.5 * hidden(c)},
            fidelity=Fidelity(epochs=1 / 3),
            curve=(0.1, 0.3 * hidden(c), 0.5 * hidden(c)),
        )
        for n, c in enumerate(candidates)
    ]


def test_a_partial_curve_adds_to_the_encoding(candidates, tiny_setting: Setting):
    full = [
        Evaluation(number=n, candidate=c, metrics={"accuracy": hidden(c)})
        for n, c in enumerate(candidates[:60])
    ]
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)

    def error(earlier: list[Evaluation]) -> float:
        return sum(
            abs(estimator.estimate(c, earlier, seed=0)["predicted_accuracy"] - hidden(c))
            for c in candidates[60:]
        )

    blind, seeing = error(full), error([*rung(candidates, 100), *full])
    assert seeing < 0.3 * blind


def test_curves_wait_for_enough_to_learn_from(candidates, earlier, tiny_setting: Setting):
    estimator = SurrogateScore(SETTINGS, tiny_setting, seed=0)
    without = estimator.estimate(candidates[70], earlier, seed=0)
    few = [*rung([candidates[70], *candidates[:19]], 100), *earlier]
    assert estimator.estimate(candidates[70], few, seed=0) == without
    enough = [*rung([candidates[70], *candidates[:20]], 100), *earlier]
    assert estimator.estimate(candidates[70], enough, seed=0) != without
