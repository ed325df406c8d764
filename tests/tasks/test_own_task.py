"""A source and a task of one's own: a number from a signal and from the number of a place."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cellwright.data import Examples, Reader, Source
from cellwright.data.manifest import ArrayForm
from cellwright.data.prepared import PreparedData
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.progress import Silent
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.spec import DataSection, Retrain, TaskSection
from cellwright.tasks.base import read_task
from cellwright.tasks.preparing import prepare
from cellwright.tasks.regression import Regression
from cellwright.training.retraining import Retraining, predict
from tests.contracts.sections import SECTIONS

NUM_EXAMPLES, NUM_PLACES, LENGTH = 200, 4, 3


class StationsSection(DataSection):
    """An archive with a signal, a place and a target for each example."""

    LOCATIONS = ("path",)
    reader = f"{__name__}:StationsReader"
    task = f"{__name__}:StationsAugment"

    source: Literal["stations"]
    path: Path


class StationsAugment(TaskSection):
    """Nothing is changed."""

    implementation = f"{__name__}:Stations"
    objective = "r2"


class StationsReader(Reader):
    section: StationsSection

    def read(self, log: Callable[[str], None]) -> Source:
        with np.load(self.section.path) as arrays:
            inputs = {name: arrays[name] for name in ("place", "signal")}
            return Source(examples=Examples(origin="stations", inputs=inputs, targets=arrays["target"]))


class Stations(Regression):
    input_names: tuple[str, ...] = ("signal", "place")
    mean: tuple[float, ...]
    num_places: int

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        signals = np.concatenate(list(train.blocks("signal")))
        places = np.concatenate(list(train.blocks("place")))
        return cls(
            kind=kind,
            map_shape=(LENGTH, 1, 1),
            mean=tuple(signals.mean(axis=0, dtype=np.float64).tolist()),
            num_places=int(places.max()) + 1,
            target_mean=float(train.targets.mean(dtype=np.float64)),
            target_std=float(train.targets.std(dtype=np.float64)),
        )

    @property
    def summary(self) -> str:
        return f"a number from signals of {self.num_places} places"

    def adapter(self) -> nn.Module:
        return Beside(self.mean, self.num_places)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        places = torch.zeros(batch_size, dtype=torch.int64, device=device)
        return torch.zeros(batch_size, LENGTH, device=device), places


class Beside(nn.Module):
    """Adds what is learnt of a place to the signal."""

    def __init__(self, mean: tuple[float, ...], num_places: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.of_place = nn.Embedding(num_places, len(mean))

    def forward(self, signal: Tensor, place: Tensor) -> Tensor:
        return (signal - self.mean + self.of_place(place))[:, :, None, None]


def arrays() -> dict[str, np.ndarray]:
    """Return the arrays of an archive, in which a target tells one example from all others."""
    rng = np.random.default_rng(0)
    number = rng.permutation(NUM_EXAMPLES)
    signal = np.stack([number, rng.normal(size=NUM_EXAMPLES), np.ones(NUM_EXAMPLES)], axis=1)
    return {
        "signal": signal.astype(np.float32),
        "place": number % NUM_PLACES,
        "target": number.astype(np.float32),
    }


def prepared(folder: Path, **changed: np.ndarray) -> tuple[PreparedData, list[str]]:
    folder.mkdir()
    np.savez(folder / "all.npz", **(arrays() | changed))
    section = StationsSection(source="stations", path=folder / "all.npz")
    said: list[str] = []
    prepare(section, folder / "data", said.append)
    return PreparedData.open(folder / "data"), said


def test_splits_hold_both_inputs_in_the_tasks_order(tmp_path: Path):
    data, said = prepared(tmp_path / "a")
    manifest = data.manifest
    assert list(manifest.inputs.items()) == [
        ("signal", ArrayForm(shape=(LENGTH,), dtype="float32")),
        ("place", ArrayForm(shape=(), dtype="int64")),
    ]
    assert manifest.targets == ArrayForm(shape=(), dtype="float32")
    assert manifest.split_sizes == {"train": 120, "validation": 40, "test": 40}
    assert said[0] == "stations all.npz: 200 examples; a number from signals of 4 places"
    seen = []
    for split in (data.train, data.validation, data.test):
        signal, place = split.inputs
        assert (signal.dtype, place.dtype) == (torch.float32, torch.int64)
        assert signal[:, 0].equal(split.targets)
        assert place.equal(split.targets.long() % NUM_PLACES)
        tenths = (split.targets / (NUM_EXAMPLES / 10)).long()
        assert tenths.bincount().tolist() == [len(split) // 10] * 10
        seen += split.targets.long().tolist()
    assert sorted(seen) == list(range(NUM_EXAMPLES))


def test_the_task_is_kept_with_the_data(tmp_path: Path):
    task = read_task(prepared(tmp_path / "a")[0].manifest.task)
    assert isinstance(task, Stations)
    assert task.kind == StationsSection.task
    assert read_task(task.model_dump(mode="json")) == task


def test_statistics_are_those_of_the_training_split_alone(tmp_path: Path):
    clean, _ = prepared(tmp_path / "clean")
    trained = np.isin(arrays()["target"], clean.train.targets.numpy())

    def poisoned(where: np.ndarray, name: str) -> PreparedData:
        given: dict[str, Any] = arrays()
        given["signal"] = np.where(where[:, None], given["signal"] + 1000, given["signal"])
        given["place"] = np.where(where, given["place"] + NUM_PLACES, given["place"])
        given["target"] = np.where(where, given["target"] + np.float32(0.4), given["target"])  # in its tenth
        return prepared(tmp_path / name, **given)[0]

    elsewhere = poisoned(~trained, "elsewhere")
    assert elsewhere.train.targets.equal(clean.train.targets)
    assert not elsewhere.validation.targets.equal(clean.validation.targets)
    assert not elsewhere.test.targets.equal(clean.test.targets)
    assert elsewhere.manifest.task == clean.manifest.task
    inside = poisoned(trained, "inside").manifest.task
    for fact in ("mean", "num_places", "target_mean"):
        assert inside[fact] != clean.manifest.task[fact]


@pytest.mark.parametrize("space", ["darts", "nasbench201", "chain"])
def test_every_space_has_networks_for_it(space: str, tmp_path: Path):
    data, _ = prepared(tmp_path / "a")
    task = read_task(data.manifest.task)
    section = SECTIONS[space]
    network = build_network(section, task, build_space(section).sample(random.Random(1)))
    settings = Retrain(epochs=2, batch_size=20)
    training = Retraining(
        network,
        data.train,
        settings,
        StationsAugment(task=StationsSection.task),
        task=task,
        seed=0,
        checkpoint=tmp_path / "c",
    )
    trained = training.run("train", Silent())
    outputs = predict(trained, data.validation)
    assert outputs.shape == data.validation.targets.shape
    assert [set(record.metrics) for record in training.history] == [
        {"train_loss", "train_r2", "learning_rate"}
    ] * 2
