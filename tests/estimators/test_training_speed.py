import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from cellwright.candidate import Candidate
from cellwright.estimators.base import Setting, build_estimator
from cellwright.estimators.training_speed.estimator import TrainingSpeed
from cellwright.estimators.training_speed.section import TrainingSpeedSection
from cellwright.evaluation import Evaluation, Suggestion
from cellwright.progress import Silent
from cellwright.spaces import build_space


def estimator(setting: Setting, **keys: float) -> TrainingSpeed:
    section = TrainingSpeedSection.model_validate({"kind": "training-speed", **keys})
    built = build_estimator(section, setting, seed=0)
    assert isinstance(built, TrainingSpeed)
    return built


def test_later_losses_count_more(tiny_setting: Setting):
    scores = estimator(tiny_setting, decay=0.5).scores(0.7, [4.0, 2.0, 1.0])
    assert scores == {"training_speed": -(0.25 * 4 + 0.5 * 2 + 1) / 1.75, "accuracy": 0.7}
    assert estimator(tiny_setting, decay=1).scores(0.7, [4.0, 2.0])["training_speed"] == -3.0


def test_faster_training_scores_higher(tiny_setting: Setting, tmp_path: Path):
    """The same network learns more slowly at a lower learning rate."""
    genotype = build_space(tiny_setting.space).sample(random.Random(0))
    started = Suggestion(number=0, candidate=Candidate(genotype=genotype)).running

    def evaluated(rate: float, name: str) -> Evaluation:
        retrain = tiny_setting.retrain.model_copy(update={"learning_rate": rate})
        return estimator(replace(tiny_setting, retrain=retrain), epochs=3).evaluate(
            started, (), seed=0, folder=tmp_path / name, progress=Silent()
        )

    fast, slow, diverging = (evaluated(rate, str(rate)) for rate in (0.05, 1e-5, 1e9))
    assert fast.metrics["training_speed"] > slow.metrics["training_speed"]
    assert fast.metrics["accuracy"] == fast.curve[-1]
    assert diverging.state == "pruned" or math.isfinite(diverging.metrics["training_speed"])
    assert evaluated(0.05, "0.05").metrics == fast.metrics


def test_it_can_be_the_objective():
    from cellwright.spec import SearchSpec

    spec = SearchSpec.model_validate(
        {
            "name": "speed",
            "data": {"source": "digits"},
            "strategy": {"kind": "tpe"},
            "estimators": [{"kind": "training-speed", "epochs": 2}],
            "objectives": [{"metric": "training_speed"}],
        }
    )
    assert spec.trial_estimator is not None and spec.trial_estimator.kind == "training-speed"


def test_decay_is_a_share():
    with pytest.raises(ValueError, match="less than or equal to 1"):
        TrainingSpeedSection.model_validate({"kind": "training-speed", "decay": 1.5})
