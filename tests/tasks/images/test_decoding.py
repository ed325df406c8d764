"""Images that are decoded in blocks, by several processes, give the same data as those decoded in memory."""

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cellwright.data import shards
from cellwright.data.joined import Joined
from cellwright.data.mapped import MappedTensor
from cellwright.data.prepared import PreparedData
from cellwright.data.reading import Scratch
from cellwright.errors import CellwrightError, DataError
from cellwright.tasks.images import decoding
from cellwright.tasks.images.decoding import EncodedImage
from cellwright.tasks.images.files import ImageFiles
from cellwright.tasks.images.sources.folder import FolderSection
from cellwright.tasks.images.sources.parquet import ParquetSection
from cellwright.tasks.preparing import prepare
from tests.tasks.images.test_parquet import write

NUM, BLOCK = 24, 6
"""Number of images of each of the two classes, and in a block."""


@pytest.fixture
def blocks(monkeypatch):
    """Give a function that makes sets large, as far as blocks and shards go."""

    def make(shard_bytes: int = 10 * 3 * 9 * 8) -> None:
        monkeypatch.setattr(decoding, "MOST_IN_MEMORY", 0)
        monkeypatch.setattr(decoding, "NUM_TIMED", 3)
        monkeypatch.setattr(decoding, "BLOCK_IMAGES", BLOCK)
        monkeypatch.setattr(decoding, "BLOCK_SECONDS", 1e9)
        monkeypatch.setattr(decoding, "PROGRESS_EVERY", 20)
        monkeypatch.setattr(shards, "SHARD_BYTES", shard_bytes)

    return make


@pytest.fixture
def images(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(2 * NUM):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 8, 3), np.uint8)).save(path)
    return tmp_path / "images"


def prepared(section, folder: Path, said: list[str] | None = None) -> PreparedData:
    prepare(section, folder, [].append if said is None else said.append, num_processes=2)
    return PreparedData.open(folder)


def section(path: Path, **keys) -> FolderSection:
    return FolderSection(source="images", path=path, **keys)


def equal(some: PreparedData, others: PreparedData) -> None:
    """Compare splits, and all of the manifests but how the splits are stored."""
    assert some.manifest == others.manifest.model_copy(update={"shard_size": some.manifest.shard_size})
    assert some.test_files == others.test_files
    for name in ("train", "validation", "test"):
        one, other = getattr(some, name), getattr(others, name)
        assert torch.equal(one[:].inputs[0], other[:].inputs[0])
        assert torch.equal(one.targets, other.targets)


def test_blocks_and_shards_change_nothing_but_the_files(images, tmp_path, blocks):
    held = prepared(section(images), tmp_path / "held")
    blocks()
    said: list[str] = []
    stored = prepared(section(images), tmp_path / "stored", said)
    equal(stored, held)
    assert (held.manifest.shard_size, stored.manifest.shard_size) == (None, 10)
    assert isinstance(stored.train.inputs[0], MappedTensor)
    assert [line for line in said if "decoded" in line] == [
        f"{images}: decoded {done} of 48 images" for done in (24, 42)
    ]
    assert sorted(path.name for path in (tmp_path / "stored").iterdir()) == [
        "manifest.json", "test.safetensors", "test_files.json", "train-00000.safetensors",
        "train-00001.safetensors", "train-00002.safetensors", "validation.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "value", "size"),
    [("QUICK_SECONDS", 0, 32), ("MOST_IN_MEMORY", 0, 32), ("BLOCK_SECONDS", 0, 1), ("BLOCK_BYTES", 660, 3)],
)
def test_limits(images, tmp_path, monkeypatch, limit, value, size):
    """Blocks are for sets that take long or much memory, and are bounded themselves."""
    files = sorted(images.glob("*/*"))
    encoded = [EncodedImage(path.name, partial(path.open, "rb")) for path in files]

    def decoded() -> np.ndarray | Joined:
        scratch = Scratch(folder=tmp_path / "scratch")
        how = ImageFiles(mode="RGB", resize=None)
        return decoding.decode_all("images", encoded, how, scratch, lambda line: None).pixels

    assert isinstance(decoded(), np.ndarray)
    monkeypatch.setattr(decoding, "BLOCK_IMAGES", 32)
    if limit.startswith("BLOCK"):
        monkeypatch.setattr(decoding, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(decoding, limit, value)
    found = decoded()
    assert isinstance(found, Joined)
    assert max(found.lengths) == size


def test_a_set_that_fits_a_shard_has_one_file(images, tmp_path, blocks):
    blocks(shard_bytes=1 << 20)
    stored = prepared(section(images), tmp_path / "stored")
    assert isinstance(stored.train.inputs[0], torch.Tensor)
    assert stored.manifest.shard_size is None
    assert (tmp_path / "stored/train.safetensors").exists()


def test_sets_of_the_users_and_duplicates(images, tmp_path, blocks):
    for index, path in enumerate(sorted(images.glob("*/*"))):
        copy = tmp_path / ("test", "validation")[index % 2] / path.parent.name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        if index % 4:
            path.unlink()
    keys = {"test_path": tmp_path / "test", "validation_path": tmp_path / "validation"}
    held = prepared(section(images, **keys), tmp_path / "held")
    assert held.manifest.duplicates.train_test
    blocks()
    equal(prepared(section(images, **keys), tmp_path / "stored"), held)


def test_broken_images_are_left_out(images, tmp_path, blocks):
    (images / "a/04.png").write_bytes(b"")
    (images / "b/47.png").write_bytes(b"no image")
    keys = {"on_broken": "skip", "max_broken": 0.1}
    held = prepared(section(images, **keys), tmp_path / "held")
    blocks()
    equal(prepared(section(images, **keys), tmp_path / "stored"), held)
    lists = [(tmp_path / name / "broken.txt").read_text() for name in ("held", "stored")]
    assert lists[0] == lists[1]
    assert len(lists[0].splitlines()) == 2


@pytest.mark.parametrize("content", ["broken", "of another size"])
def test_the_same_messages(images, tmp_path, blocks, content):
    for path in (images / "b/01.png", images / "b/37.png"):
        if content == "broken":
            path.write_bytes(path.read_bytes()[:40])
        else:
            Image.new("RGB", (10, 10)).save(path)
    with pytest.raises(DataError) as held:
        prepared(section(images), tmp_path / "data")
    blocks()
    with pytest.raises(DataError) as stored:
        prepared(section(images), tmp_path / "data")
    assert str(stored.value) == str(held.value)
    assert not (tmp_path / "data/.scratch").exists()


def test_rows_of_parquet_files(tmp_path, blocks):
    path = write(tmp_path / "train.parquet")
    held = prepared(ParquetSection(source="parquet", path=path), tmp_path / "held")
    blocks()
    equal(prepared(ParquetSection(source="parquet", path=path), tmp_path / "stored"), held)


def test_a_killed_prepare_decodes_no_more_than_a_block_of_each_process_again(
    images, tmp_path, blocks, monkeypatch
):
    held = prepared(section(images), tmp_path / "held")
    blocks()
    decode, log = ImageFiles.decode, tmp_path / "decoded"

    def killed_at_30(self: ImageFiles, content: bytes):
        if os.getpid() != parent and log.stat().st_size >= 30:
            os.kill(os.getpid(), signal.SIGKILL)
        return counted(self, content)

    def counted(self: ImageFiles, content: bytes):
        with log.open("ab") as file:
            file.write(b".")
        return decode(self, content)

    parent = os.getpid()
    log.touch()
    monkeypatch.setattr(ImageFiles, "decode", killed_at_30)
    with pytest.raises(CellwrightError, match="a process of prepare was killed"):
        prepared(section(images), tmp_path / "stored")
    assert log.stat().st_size >= 30
    log.write_bytes(b"")
    monkeypatch.setattr(ImageFiles, "decode", counted)
    monkeypatch.setattr(decoding, "BLOCK_IMAGES", BLOCK + 1)  # as on a faster machine
    said: list[str] = []
    equal(prepared(section(images), tmp_path / "stored", said), held)
    before = 2 * NUM - (log.stat().st_size - 3)  # of which 3 are timed
    assert before >= 30 - 3 - 2 * BLOCK
    assert f"{images}: {before} of 48 images were decoded before" in said
    assert not (tmp_path / "stored/.scratch").exists()


def test_what_was_decoded_of_other_images_is_not_taken(images, tmp_path, blocks, monkeypatch):
    blocks()
    monkeypatch.setattr("cellwright.tasks.preparing.split", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepared(section(images), tmp_path / "stored")
    monkeypatch.undo()
    blocks()
    said: list[str] = []
    prepared(section(images, channels="grey"), tmp_path / "stored", said)
    assert not any("before" in line for line in said)


def test_a_damaged_shard_is_refused(images, tmp_path, blocks):
    blocks()
    stored = prepared(section(images), tmp_path / "stored")
    with (tmp_path / "stored/train-00001.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    with pytest.raises(DataError, match=r"train-00001.safetensors: .* must have the SHA-256"):
        _ = stored.train
    (tmp_path / "stored/train-00001.safetensors").unlink()
    with pytest.raises(DataError, match=r"train-00001.safetensors: the shard .* cannot be read"):
        _ = stored.train


def test_shards_of_other_places_are_refused(images, tmp_path, blocks):
    blocks()
    stored = prepared(section(images), tmp_path / "stored")
    (tmp_path / "stored/train-00002.safetensors").replace(tmp_path / "stored/train-00000.safetensors")
    with pytest.raises(DataError, match=r"train-00000.safetensors: must hold .*\(10, 3, 9, 8\)"):
        _ = stored.train
