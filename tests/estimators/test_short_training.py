import random
from dataclasses import replace
from pathlib import Path

import pytest

from cellwright.candidate import Candidate
from cellwright.estimators.base import Setting
from cellwright.estimators.short_training.estimator import ShortTraining
from cellwright.estimators.short_training.section import ShortTrainingSection
from cellwright.estimators.short_training.training import Training, train_shortly
from cellwright.evaluation import FULL, Evaluation, Fidelity
from cellwright.genotype import Genotype
from cellwright.progress import Silent
from cellwright.spaces import build_space

SETTINGS = ShortTrainingSection(epochs=4, median_stopping=2)


@pytest.fixture
def genotype(tiny_setting: Setting) -> Genotype:
    return build_space(tiny_setting.space).sample(random.Random(0))


def train(
    genotype: Genotype,
    setting: Setting,
    folder: Path,
    *,
    settings: ShortTrainingSection = SETTINGS,
    fidelity: Fidelity = FULL,
    earlier=(),
    seed: int = 0,
    progress=None,
) -> Training:
    return train_shortly(
        genotype,
        fidelity,
        earlier,
        settings,
        setting,
        seed=seed,
        folder=folder,
        progress=progress or Silent(),
    )


def test_it_learns_and_keeps_its_curve(genotype: Genotype, tiny_setting: Setting, tmp_path: Path):
    settings = ShortTrainingSection(epochs=12)
    training = train(genotype, tiny_setting, tmp_path, settings=settings)
    assert training.score > 0.6
    assert len(training.curve) == 12 and training.curve[-1] == training.score
    assert training.pruned is None


def test_one_seed_gives_one_curve_and_another_another(
    genotype: Genotype, tiny_setting: Setting, tmp_path: Path
):
    curves = [
        train(genotype, tiny_setting, tmp_path / str(index), seed=seed).curve
        for index, seed in enumerate((0, 0, 1))
    ]
    assert curves[0] == curves[1] != curves[2]


class Killed(Exception):
    pass


class KillingAfter(Silent):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def advance(self, task, done, total, metrics) -> None:
        if done == self.epoch:
            raise Killed


def test_a_killed_training_resumes(genotype: Genotype, tiny_setting: Setting, tmp_path: Path):
    whole = train(genotype, tiny_setting, tmp_path / "whole")
    with pytest.raises(Killed):
        train(genotype, tiny_setting, tmp_path / "killed", progress=KillingAfter(2))
    assert train(genotype, tiny_setting, tmp_path / "killed").curve == whole.curve


@pytest.mark.parametrize(
    ("curves", "stops_after"),
    [
        ([(2.0,) * 4], None),
        ([(2.0,) * 4] * 2, 1),
        ([(0.0, 2.0, 2.0, 2.0)] * 2, 2),
        ([(0.0,) * 4] * 2, None),
        ([(2.0,) * 4, (0.0,) * 4, (0.0,) * 4], None),
        ([(0.0, 0.0, 0.0, 2.0)] * 2, None),
    ],
)
def test_what_is_below_the_median_is_stopped(
    curves: list[tuple[float, ...]],
    stops_after: int | None,
    genotype: Genotype,
    tiny_setting: Setting,
    tmp_path: Path,
):
    earlier = [
        Evaluation(number=n, candidate=Candidate(genotype=genotype), curve=curve)
        for n, curve in enumerate(curves)
    ]
    training = train(genotype, tiny_setting, tmp_path, earlier=earlier)
    assert (training.pruned is not None) == (stops_after is not None)
    assert len(training.curve) == (stops_after or 4)


def test_medians_are_of_the_same_fidelity(genotype: Genotype, tiny_setting: Setting, tmp_path: Path):
    other = Fidelity(epochs=0.5)
    earlier = [
        Evaluation(number=n, candidate=Candidate(genotype=genotype), curve=(2.0,) * 4, fidelity=other)
        for n in range(5)
    ]
    assert train(genotype, tiny_setting, tmp_path, earlier=earlier).pruned is None


def test_less_of_everything(genotype: Genotype, tiny_setting: Setting, tmp_path: Path):
    settings = ShortTrainingSection(epochs=4, data=0.7, channels=0.5, resolution=1.0)
    training = train(
        genotype, tiny_setting, tmp_path, settings=settings, fidelity=Fidelity(epochs=0.5, resolution=0.9)
    )
    assert len(training.curve) == 2


def test_a_diverged_training_ends_its_trial_and_not_the_search(
    genotype: Genotype, tiny_setting: Setting, tmp_path: Path
):
    retrain = tiny_setting.retrain.model_copy(update={"learning_rate": 1e38})
    estimator = ShortTraining(SETTINGS, replace(tiny_setting, retrain=retrain), seed=0)
    asked = Evaluation(
        number=0, candidate=Candidate(genotype=genotype), state="running", metrics={"params": 9.0}
    )
    ended = estimator.evaluate(asked, (), seed=0, folder=tmp_path, progress=Silent())
    assert ended.state == "pruned" and ended.metrics == {"params": 9.0} and len(ended.curve) < 4
    assert "training diverges in epoch" in ended.reason and "lower retrain.learning_rate" in ended.reason
