import numpy as np
import pytest
import torch

from cellwright.data import Duplicates
from cellwright.data.manifest import ArrayForm
from cellwright.data.prepared import PreparedData
from cellwright.errors import DataError
from cellwright.tasks.base import read_task
from cellwright.tasks.images.sources.digits import DigitsSection
from cellwright.tasks.images.sources.npz import NpzSection
from cellwright.tasks.preparing import prepare

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 8, 8), np.uint8)
LABELS = np.arange(20) % 2


def silent(message: str) -> None:
    pass


@pytest.fixture
def npz(tmp_path):
    """Give a function from images, labels and settings to a section."""

    def save(images, labels=LABELS, test=None, **settings) -> NpzSection:
        np.savez(tmp_path / "all.npz", images=images, labels=labels)
        if test:
            np.savez(tmp_path / "test.npz", images=test[0], labels=test[1])
            settings["test_path"] = tmp_path / "test.npz"
        return NpzSection(source="npz", path=tmp_path / "all.npz", **settings)

    return save


def test_digits(tmp_path):
    said: list[str] = []
    manifest = prepare(DigitsSection(source="digits"), tmp_path, said.append)
    assert read_task(manifest.task).map_shape == (1, 8, 8)
    assert read_task(manifest.task).class_names == tuple("0123456789")
    assert manifest.inputs == {"images": ArrayForm(shape=(1, 8, 8), dtype="uint8")}
    assert manifest.targets == ArrayForm(shape=(), dtype="int64")
    assert manifest.split_sizes == {"train": 1078, "validation": 360, "test": 359}
    assert said == [
        "digits: 1797 examples; 10 classes, images of 1×8×8",
        "split into 1078 train, 360 validation, 359 test",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "manifest.json", "test.safetensors", "test_files.json", "train.safetensors", "validation.safetensors",
    ]  # fmt: skip


def test_normalisation_is_that_of_the_train_split(tmp_path, npz):
    images = RNG.normal(100, 3, (20, 8, 8, 2)).astype(np.float32)
    manifest = prepare(npz(images, layout="NHWC"), tmp_path / "data", silent)
    train = PreparedData.open(tmp_path / "data").train.inputs[0].double()
    assert manifest.task["mean"] == pytest.approx(train.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert manifest.task["std"] == pytest.approx(train.std((0, 2, 3), correction=0).tolist(), rel=1e-12)


@pytest.mark.parametrize("value", [0, 0.1, -1e-9, 3e38])
def test_a_constant_channel_has_the_std_one(tmp_path, npz, value):
    manifest = prepare(npz(np.full((20, 8, 8), value, np.float32)), tmp_path / "data", silent)
    assert manifest.task["std"] == [1]


def test_content_hash_is_of_data_and_splits(tmp_path, npz):
    def content_hash(section):
        return prepare(section, tmp_path / "data", silent).content_hash

    same = content_hash(npz(IMAGES))
    renamed = npz(IMAGES).path.rename(tmp_path / "other.npz")
    assert content_hash(NpzSection(source="npz", path=renamed)) == same
    hashes = [
        content_hash(npz(255 - IMAGES)),
        content_hash(npz(IMAGES, 1 - LABELS)),
        content_hash(npz(IMAGES, split_seed=1)),
        content_hash(npz(IMAGES.astype(float))),
    ]
    assert len({same, *hashes}) == 5


def test_each_image_is_in_one_split_with_its_label(tmp_path, npz):
    prepare(npz(IMAGES), tmp_path / "data", silent)
    data = PreparedData.open(tmp_path / "data")
    found = [
        (image.numpy().tobytes(), int(label))
        for split in (data.train, data.validation, data.test)
        for image, label in zip(split.inputs[0], split.targets, strict=True)
    ]
    given = [(image.tobytes(), int(label)) for image, label in zip(IMAGES, LABELS, strict=True)]
    assert sorted(found) == sorted(given)


REPEATED = (IMAGES[:4], LABELS[:4])
HALF_REPEATED = (np.concatenate([IMAGES[:4], 255 - IMAGES[:4]]), np.tile(LABELS[:4], 2))


def test_reports_duplicates(tmp_path, npz):
    said: list[str] = []
    manifest = prepare(
        npz(IMAGES, test=HALF_REPEATED, validation_fraction=0.5), tmp_path / "data", said.append
    )
    found = manifest.duplicates
    assert (found.train_validation, found.train_test + found.validation_test, found.dropped) == (0, 4, 0)
    assert manifest.split_sizes == {"train": 10, "validation": 10, "test": 8}
    assert (
        f"{found.train_test} examples of train are in test too: kept; data.duplicates: drop would drop them"
        in said
    )


def test_drops_duplicates_from_the_training_side(tmp_path, npz):
    images = np.concatenate([IMAGES, IMAGES])
    section = npz(images, np.tile(LABELS, 2), REPEATED, validation_fraction=0.5, duplicates="drop")
    manifest = prepare(section, tmp_path / "data", silent)
    data = PreparedData.open(tmp_path / "data")
    rows = [
        {image.numpy().tobytes() for image in split.inputs[0]}
        for split in (data.train, data.validation, data.test)
    ]
    assert len(rows[0] | rows[1] | rows[2]) == sum(map(len, rows)) == 20
    assert manifest.split_sizes["test"] == 4
    assert manifest.duplicates.dropped == 44 - sum(manifest.split_sizes.values()) > 0


def test_no_duplicates(tmp_path, npz):
    none = Duplicates(train_validation=0, train_test=0, validation_test=0, dropped=0)
    assert prepare(npz(IMAGES), tmp_path / "data", silent).duplicates == none


def test_refuses_to_drop_all_of_a_class(tmp_path, npz):
    test = np.append(np.flatnonzero(LABELS == 0), 1)
    section = npz(IMAGES, test=(IMAGES[test], LABELS[test]), duplicates="drop")
    with pytest.raises(DataError, match="all.npz: every split .* dropped train has none of class '0'"):
        prepare(section, tmp_path / "data", silent)


def test_reports_contradicting_labels(tmp_path, npz):
    said: list[str] = []
    prepare(
        npz(np.concatenate([IMAGES, IMAGES[:3]]), np.append(LABELS, 1 - LABELS[:3])),
        tmp_path / "data",
        said.append,
    )
    assert "3 examples have more than one target" in said


def test_dying_midway_leaves_no_manifest(tmp_path, npz):
    folder = tmp_path / "data"
    prepare(npz(IMAGES), folder, silent)
    (folder / "validation.safetensors").unlink()
    (folder / "validation.safetensors").mkdir()
    with pytest.raises(IsADirectoryError):
        prepare(npz(IMAGES, split_seed=1), folder, silent)
    assert sorted(path.name for path in folder.iterdir()) == [
        "test.safetensors", "test_files.json", "train.safetensors", "validation.safetensors",
    ]  # fmt: skip
    with pytest.raises(
        DataError, match="manifest.json: cannot be read: No such file.*; is the data prepared"
    ):
        PreparedData.open(folder)


@pytest.mark.parametrize(("frequent", "is_told"), [(100, False), (101, True)])
def test_classes_of_very_different_sizes_are_reported(tmp_path, npz, frequent, is_told):
    labels = np.repeat([0, 1], [frequent, 5])
    said: list[str] = []
    prepare(npz(RNG.integers(0, 256, (frequent + 5, 8, 8), np.uint8), labels), tmp_path / "data", said.append)
    told = f"class '1' has 5 examples and class '0' {frequent}: accuracy says little about rare classes"
    assert any(told in line for line in said) == is_told


def test_balanced_weights_make_classes_count_equally_in_the_loss(tmp_path):
    labels = np.repeat([0, 1], [90, 10])
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    np.savez(tmp_path / "all.npz", images=images, labels=labels)
    section = NpzSection(source="npz", path=tmp_path / "all.npz", class_weights="balanced")
    prepare(section, tmp_path / "data", lambda fact: None)
    data = PreparedData.open(tmp_path / "data")
    task = read_task(data.manifest.task)
    targets = data.train.targets
    logits = torch.randn(len(targets), 2, generator=torch.Generator().manual_seed(0))
    losses = task.losses(logits, targets)
    by_class = torch.stack([losses[targets == number].mean() for number in (0, 1)])
    torch.testing.assert_close(task.loss(logits, targets), by_class.mean())
    torch.testing.assert_close(task.loss(logits, task.soft_targets(targets)), by_class.mean())
    smooth = task.loss(logits, targets, label_smoothing=0.1)
    torch.testing.assert_close(smooth, task.loss(logits, task.soft_targets(targets), label_smoothing=0.1))
    assert read_task(task.model_dump(mode="json")) == task
