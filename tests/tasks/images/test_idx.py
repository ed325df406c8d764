import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from cellwright.data.prepared import PreparedData
from cellwright.errors import DataError
from cellwright.tasks.images.sources.idx import IdxSection
from cellwright.tasks.preparing import prepare

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 9, 8), np.uint8)
LABELS = (np.arange(20) % 2).astype(np.uint8)


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def header(*shape: int) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


def prepared(folder: Path, images: bytes, labels: bytes = idx(LABELS)) -> PreparedData:
    (folder / "images").write_bytes(images)
    (folder / "labels").write_bytes(labels)
    section = IdxSection(source="idx", images=folder / "images", labels=folder / "labels")
    prepare(section, folder / "data", lambda message: None)
    return PreparedData.open(folder / "data")


@pytest.mark.parametrize("compress", [bytes, zipped])
@pytest.mark.parametrize("images", [IMAGES, np.stack([IMAGES] * 3, axis=3)], ids=["grey", "colour"])
def test_reads_grey_and_colour_gzipped_or_not(tmp_path, compress, images):
    data = prepared(tmp_path, compress(idx(images)), compress(idx(LABELS)))
    assert data.manifest.split_sizes == {"train": 12, "validation": 4, "test": 4}
    splits = (data.train, data.validation, data.test)
    found = np.concatenate([split.inputs[0].permute(0, 2, 3, 1).numpy() for split in splits])
    assert found.shape == (20, 9, 8, images.size // IMAGES.size)
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in images)


def test_the_users_test_files_are_the_test_split(tmp_path):
    paths = {name: tmp_path / name for name in ("images", "labels", "test_images", "test_labels")}
    for name, array in zip(paths, (IMAGES, LABELS, 255 - IMAGES[:4], LABELS[:4]), strict=True):
        paths[name].write_bytes(idx(array))
    manifest = prepare(IdxSection(source="idx", **paths), tmp_path / "data", lambda message: None)
    assert manifest.split_sizes == {"train": 15, "validation": 5, "test": 4}


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        (("test_images",), "test_images and test_labels must be given together"),
        (("validation_labels",), "validation_images and validation_labels must be given together"),
        (("validation_images", "validation_labels"), "test_images must be given where validation_images is"),
    ],
)
def test_sets_of_the_users_are_whole(keys, rule):
    with pytest.raises(ValueError, match=rule):
        IdxSection(source="idx", images="i", labels="l", **dict.fromkeys(keys, "x"))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (b"", "images: truncated: expected 4 bytes for the magic number, found 0"),
        (idx(IMAGES)[:10], "images: truncated: expected 12 bytes for the header, found 6"),
        (idx(IMAGES)[:-5], "images: truncated: expected 1440 bytes for the header's 20×9×8, found 1435"),
        (zipped(idx(IMAGES)[:-5]), "images: truncated: expected 1440 bytes for .*20×9×8, found 1435"),
        (zipped(idx(IMAGES))[:-900], "images: truncated: expected 1440 bytes for .*, found [0-9]+$"),
        (idx(IMAGES) + b"\0", "images: must end after the 1440 bytes of its header's shape, \\(20, 9, 8\\)"),
        (
            header(2**32 - 1, 2**32 - 1, 8),
            "images: truncated: expected 147573952520956936200 bytes for .*, found 0",
        ),
        (
            zipped(header(2**32 - 1, 99, 99)),
            "images: truncated: expected 42094974458295 bytes for .*, found 0",
        ),
        (b"\x89PNG" + bytes(99), "images: an IDX file must begin with .*, got 89 50 4e 47"),
        (idx(IMAGES.astype(">f4"), kind=13), "images: an IDX file must begin with .*, got 00 00 0d 03"),
        (b"\x1f\x8b" + bytes(99), "images: cannot be read: Unknown compression method"),
        (idx(LABELS), r"images: images must have 3 or 4 axes, got the shape \(20,\)"),
        (idx(IMAGES[:, :7]), "images: the sides of images must be at least 8, got 1×7×8"),
        (
            idx(IMAGES[:19]),
            r"labels: there must be one label for each of 19 examples, or one-hot rows, got .* \(20,\)",
        ),
    ],
)
def test_refuses_images(tmp_path, images, message):
    with pytest.raises(DataError, match=f"^{tmp_path}/{message}"):
        prepared(tmp_path, images)


def test_refuses_missing_files(tmp_path):
    section = IdxSection(source="idx", images=tmp_path / "images", labels=tmp_path / "labels")
    with pytest.raises(DataError, match=f"^{tmp_path}/images: there is no such file"):
        prepare(section, tmp_path / "data", lambda message: None)


def test_exchanged_files_are_detected(tmp_path):
    with pytest.raises(
        DataError, match="images: holds labels, and .*labels images: exchange them in the spec"
    ):
        prepared(tmp_path, idx(LABELS), idx(IMAGES))


@pytest.mark.parametrize("lost", [1, 4, 8, 9, 40])
def test_a_truncated_gzip_is_reported(tmp_path, lost):
    with pytest.raises(DataError, match="images: (truncated|cannot be read)"):
        prepared(tmp_path, zipped(idx(IMAGES))[:-lost])
