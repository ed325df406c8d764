import os

import pytest
import torch

from cellwright.data import DataManifest
from cellwright.data.prepared import PreparedData
from cellwright.errors import DataError
from cellwright.tasks.images.sources.digits import DigitsSection
from cellwright.tasks.preparing import prepare


@pytest.fixture
def folder(tmp_path):
    prepare(DigitsSection(source="digits", limit=50), tmp_path, lambda message: None)
    return tmp_path


def test_manifest_round_trip(folder):
    manifest = PreparedData.open(folder).manifest
    assert DataManifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_search_needs_no_test_shard(folder):
    (folder / "test.safetensors").unlink()
    data = PreparedData.open(folder)
    assert len(data.train_and_validation()) == len(data.train) + len(data.validation) == 50
    with pytest.raises(DataError, match="test.safetensors: the shard of prepared data cannot be read"):
        _ = data.test


def test_train_and_validation_come_one_after_the_other(folder):
    data = PreparedData.open(folder)
    both = data.train_and_validation()
    assert torch.equal(both.inputs[0][: len(data.train)], data.train.inputs[0])
    assert torch.equal(both.targets[len(data.train) :], data.validation.targets)


def test_shards_are_mapped_not_read(folder):
    """Writing through an open file shows in the tensor."""
    path = folder / "train.safetensors"
    images = PreparedData.open(folder).train.inputs[0]
    before = images.clone()
    with path.open("r+b") as file:
        file.seek(-images.numel(), os.SEEK_END)
        file.write(bytes([99]))
    assert (images != before).sum() == 1


@pytest.mark.parametrize("place", [-1, -1000])
def test_refuses_damaged_shards(folder, place):
    with (folder / "train.safetensors").open("r+b") as file:
        file.seek(place, os.SEEK_END)
        (byte,) = file.read(1)
        file.seek(place, os.SEEK_END)
        file.write(bytes([byte ^ 64]))
    with pytest.raises(DataError, match=r"train.safetensors: .* its tensors must have the SHA-256"):
        _ = PreparedData.open(folder).train


def test_refuses_truncated_shards(folder):
    path = folder / "train.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(DataError, match="train.safetensors: .* cannot be read: .*"):
        _ = PreparedData.open(folder).train


def test_refuses_shards_of_other_data(folder):
    (folder / "validation.safetensors").replace(folder / "train.safetensors")
    with pytest.raises(
        DataError, match=r"train.safetensors: must hold .*\(38, 1, 8, 8\).* got .*\(12, 1, 8, 8\)"
    ):
        _ = PreparedData.open(folder).train


@pytest.mark.parametrize("text", ["", "{}", '{"num_classes": "many"}'])
def test_refuses_invalid_manifests(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match="manifest.json: is not a manifest of prepared data: "):
        PreparedData.open(folder)
