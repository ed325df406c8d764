"""A run whose data stay on disk finds and trains the same as one whose data are in memory."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cellwright.data import shards
from cellwright.data.mapped import MappedTensor
from cellwright.data.prepared import PreparedData
from cellwright.estimators.short_training.section import ShortTrainingSection
from cellwright.estimators.short_training.training import train_shortly
from cellwright.evaluation import Fidelity
from cellwright.progress import Silent
from cellwright.results import WEIGHTS
from cellwright.search.supernet_training import train_supernet
from cellwright.search.trial import setting_of
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.steps.running import run_until
from cellwright.tasks.images import decoding
from cellwright.training.checkpoint import load_tensors
from cellwright.training.course import Course
from cellwright.training.networks import genotype_network, start_course, train_network


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> SearchSpec:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number in range(120):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 100 + 50 * (number % 2), (8, 8), np.uint8)).save(path)
    return SearchSpec.model_validate(
        {
            "name": "large",
            "data": {"source": "images", "path": folder, "channels": "grey"},
            "space": {"kind": "darts", "num_nodes": 2, "num_cells": 2, "channels": 2},
            "strategy": {"kind": "darts", "batch_size": 16},
            "budget": {"epochs": 2},
            "retrain": {"epochs": 2, "batch_size": 16},
            "resources": {"cpu": 1},
        }
    )


@pytest.fixture(scope="module")
def folders(spec: SearchSpec, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the prepared data in memory, and on disk."""
    with pytest.MonkeyPatch.context() as patch:
        held = run_until("prepare", spec, tmp_path_factory.mktemp("held"), Silent())["prepare"]
        patch.setattr(decoding, "MOST_IN_MEMORY", 0)
        patch.setattr(shards, "SHARD_BYTES", 16 * 64)
        stored = run_until("prepare", spec, tmp_path_factory.mktemp("stored"), Silent())["prepare"]
    assert isinstance(PreparedData.open(stored).validation.inputs[0], MappedTensor)
    return [held, stored]


def weights_in(file: Path) -> dict[str, torch.Tensor]:
    return dict(load_tensors(file)[0])


def require_equal(weights: list[dict[str, torch.Tensor]]) -> None:
    assert weights[0].keys() == weights[1].keys()
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


def test_a_supernet_finds_the_same(spec: SearchSpec, folders: list[Path], tmp_path: Path):
    found: list[Any] = []
    for number, data in enumerate(folders):
        result = train_supernet(spec, data, tmp_path / str(number), Silent())
        found.append((result.genotype, result.score, result.history))
    assert found[0] == found[1]


@pytest.mark.parametrize("share", [1, 0.5])
def test_a_trial_finds_the_same(spec: SearchSpec, folders: list[Path], tmp_path: Path, share: float):
    genotype, found = build_space(spec.space).sample(random.Random(0)), []
    for number, folder in enumerate(folders):
        trained = train_shortly(
            genotype,
            Fidelity(epochs=1, data=share),
            (),
            ShortTrainingSection(kind="short-training", epochs=1),
            setting_of(spec, PreparedData.open(folder), torch.device("cpu")),
            seed=0,
            folder=tmp_path / str(number),
            progress=Silent(),
        )
        found.append((trained.score, trained.losses))
    assert found[0] == found[1]


def test_a_network_gets_the_same_weights(spec: SearchSpec, folders: list[Path], tmp_path: Path):
    genotype, weights = build_space(spec.space).sample(random.Random(0)), []
    for number, folder in enumerate(folders):
        data = PreparedData.open(folder)
        config = genotype_network(spec, data.manifest, genotype)
        train_network("found", config, data, spec, tmp_path / str(number), Silent())
        weights.append(weights_in(tmp_path / str(number) / WEIGHTS))
    require_equal(weights)


def test_a_course_that_resumes_within_an_epoch_gets_the_same_weights(
    spec: SearchSpec, folders: list[Path], tmp_path: Path
):
    genotype, weights = build_space(spec.space).sample(random.Random(0)), []
    course = Course(steps=8, cool_down=4, precision="float32")
    for number, folder in enumerate(folders):
        data, checkpoint = PreparedData.open(folder), tmp_path / f"{number}.safetensors"
        config = genotype_network(spec, data.manifest, genotype)
        for steps in ((8,), (3, 7, 8))[number]:
            start_course(spec, config, data.train, course, checkpoint).train_to(steps)
        weights.append(weights_in(checkpoint))
    require_equal(weights)
