"""`cellwright predict`: files are read as training reads them, and the network is the one that `evaluate` scored."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cellwright.data.prepared import PreparedData
from cellwright.predicting import Predictor
from cellwright.results import NETWORK, WEIGHTS, ModelInfo
from cellwright.spaces import build_space
from cellwright.spaces.building import GenotypeNetworkConfig, NetworkConfig
from cellwright.spaces.darts.section import DartsSection
from cellwright.tasks.base import read_task
from cellwright.tasks.images.sources.folder import FolderSection
from cellwright.tasks.preparing import prepare
from cellwright.training.checkpoint import save_tensors
from cellwright.training.retraining import predict

CLASSES = ("blue", "red shoes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos in folders of classes, prepared data, and a network with new weights as `retrain` leaves it."""
    place, rng = tmp_path_factory.mktemp("predict"), np.random.default_rng(0)
    for name in CLASSES:
        (place / "photos" / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 256, (20, 30, 4 if number % 2 else 3), np.uint8)
            Image.fromarray(pixels).save(place / "photos" / name / f"{number}.png")
    section = FolderSection(source="images", path=place / "photos", resize=(12, 16))
    prepare(section, place / "data", lambda fact: None)
    manifest = PreparedData.open(place / "data").manifest
    task = read_task(manifest.task)
    space = DartsSection(num_cells=2, channels=2, num_nodes=2)
    genotype = build_space(space).sample(random.Random(0))
    config = NetworkConfig(network=GenotypeNetworkConfig(task=task, genotype=genotype, space=space))
    retrained = place / "retrain"
    retrained.mkdir()
    config.save(retrained / NETWORK)
    save_tensors(retrained / WEIGHTS, config.build(seed=0).state_dict())
    task.model_info(manifest.inputs, genotype).save(retrained / ModelInfo.FILE)
    return place


def test_files_become_what_training_read_and_outputs_what_evaluate_computes(place: Path):
    test = PreparedData.open(place / "data").test
    predictor = Predictor(place / "retrain")
    files = sorted((place / "photos").glob("*/*.png"))
    read = torch.cat(
        [inputs[0] for file in files for _, inputs in predictor.task.examples_in(file, predictor.info)]
    )
    rows = [
        next(i for i, image in enumerate(read) if torch.equal(image, wanted)) for wanted in test.inputs[0]
    ]
    assert torch.equal(read[rows], test.inputs[0])
    torch.testing.assert_close(
        predictor.outputs(test.inputs), predict(predictor.network, test), rtol=0, atol=0
    )


def test_labels_and_probabilities_are_printed_and_a_broken_file_gets_a_line(place: Path, cellwright):
    (place / "broken.jpg").write_bytes(b"no picture")
    done = cellwright("predict", place / "retrain", place / "broken.jpg", place / "photos", "--json")
    assert done.exit_code == 1
    assert "broken.jpg: is not a readable PNG" in done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["file"] for answer in answers] == [
        str(place / "photos" / name / f"{number}.png") for name in CLASSES for number in range(6)
    ]
    for answer in answers:
        assert answer["label"] in CLASSES
        assert answer["probability"] == max(answer["probabilities"].values())
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-6)


def test_arrays_lists_and_patterns_give_what_the_files_give(place: Path, cellwright):
    files = sorted((place / "photos" / "blue").glob("*.png"))
    predictor = Predictor(place / "retrain")
    images = torch.cat(
        [inputs[0] for file in files for _, inputs in predictor.task.examples_in(file, predictor.info)]
    )
    np.savez(place / "channels_last.npz", anything=images.permute(0, 2, 3, 1).numpy())
    np.save(place / "channels_first.npy", images.numpy())
    (place / "list.csv").write_text("".join(f"photos/blue/{file.name}\n" for file in files))
    named = ("channels_last.npz", "channels_first.npy", "list.csv", "photos/blue/*.png")
    printed = [cellwright("predict", place / "retrain", place / name, "--csv") for name in named]
    assert [done.exit_code for done in printed] == [0, 0, 0, 0]
    answers = [[line.partition(",")[2] for line in done.stdout.splitlines()] for done in printed]
    assert answers[0][0] == "label,probability,probabilities.blue,probabilities.red shoes"
    assert len(answers[0]) == 7
    assert answers[1:] == answers[:1] * 3


@pytest.mark.parametrize(
    ("array", "rule"),
    (
        (np.zeros((2, 3, 12, 16), np.float32), "must be uint8, as in training, got float32"),
        (np.zeros((2, 3, 8, 8), np.uint8), "each example must be 3×12×16, got an array of 2×3×8×8"),
    ),
)
def test_an_array_that_the_model_cannot_take_is_named_with_the_rule(
    place: Path, cellwright, tmp_path: Path, array, rule
):
    np.save(tmp_path / "x.npy", array)
    done = cellwright("predict", place / "retrain", tmp_path / "x.npy")
    assert done.exit_code == 1
    assert rule in done.stderr


def test_a_wrong_model_is_reported_with_the_valid_forms(cellwright):
    done = cellwright("predict", "runs/none", "x.jpg")
    assert done.exit_code == 1
    assert "runs/none: must be the folder of a finished run" in done.stderr
