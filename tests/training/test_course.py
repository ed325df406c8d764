"""Training in parts."""

import random
from pathlib import Path

import pytest
import torch

from cellwright.data.split import Split
from cellwright.estimators.base import Setting
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.spec import Retrain
from cellwright.training.course import Course, CourseTraining


def start(setting: Setting, split: Split, checkpoint: Path) -> CourseTraining:
    genotype = build_space(setting.space).sample(random.Random(0))
    with seeded_initialisation(0):
        network = build_network(setting.space, setting.task, genotype)
    return CourseTraining(
        network,
        split,
        setting.retrain,
        setting.augment.model_copy(update={"shift": 0.2}),
        task=setting.task,
        seed=1,
        checkpoint=checkpoint,
        course=Course(steps=9, cool_down=4, precision="float32"),
    )


def test_parts_make_the_whole_bit_for_bit(tiny_setting: Setting, tmp_path: Path) -> None:
    whole = start(tiny_setting, tiny_setting.train, tmp_path / "whole")
    whole.train_to(8)
    for steps in (2, 5, 8):
        part = start(tiny_setting, tiny_setting.train, tmp_path / "parts")
        part.train_to(steps)
    assert part.steps == 8
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(part.network.state_dict()[name], tensor), name
    assert all(torch.equal(part.average[name], tensor) for name, tensor in whole.average.items())


def test_scoring_changes_nothing(tiny_setting: Setting, tmp_path: Path) -> None:
    watched, other = (start(tiny_setting, tiny_setting.train, tmp_path / name) for name in ("a", "b"))
    for training in (watched, other):
        training.train_to(2)
    outputs = watched.outputs(tiny_setting.validation)
    assert torch.equal(outputs, watched.outputs(tiny_setting.validation))
    for training in (watched, other):
        training.train_to(4)
    state = other.network.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in watched.network.state_dict().items())


def test_a_checkpoint_continues_on_more_examples(tiny_setting: Setting, bars: Split, tmp_path: Path) -> None:
    few = start(tiny_setting, bars[:40], tmp_path / "checkpoint")
    few.train_to(3)
    more = start(tiny_setting, bars, tmp_path / "checkpoint")
    assert more.steps == 3
    more.train_to(9)
    assert more.history[-1].metrics["learning_rate"] == pytest.approx(tiny_setting.retrain.learning_rate / 5)


def test_the_rate_rises_stays_and_falls() -> None:
    course, settings = Course(steps=100, cool_down=60, precision="float32"), Retrain(warmup=0.04)
    assert [course.rate(step, settings) for step in (0, 3, 4, 59, 60, 80, 99)] == pytest.approx(
        [0.2, 0.8, 1, 1, 1, 0.5, 0.025]
    )
    assert course.constant().rate(90, settings) == 1
