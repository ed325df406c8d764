import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from cellwright.data.manifest import ArrayForm
from cellwright.data.memory import require_memory
from cellwright.data.prepared import PreparedData
from cellwright.errors import DataError
from cellwright.tasks.images.sources.npz import NpzSection
from cellwright.tasks.preparing import prepare

RNG = np.random.default_rng(0)
LABELS = np.arange(20) % 2
BYTES = RNG.integers(0, 256, (20, 8, 9, 3), np.uint8)
FLOATS = RNG.normal(size=(20, 8, 9)).astype(np.float64)


def with_value(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


def saved(path: Path, images=BYTES, labels=LABELS) -> Path:
    np.savez(path, images=images, labels=labels)
    return path


def prepared(section: NpzSection, folder: Path) -> PreparedData:
    prepare(section, folder, lambda message: None)
    return PreparedData.open(folder)


@pytest.mark.parametrize(
    ("images", "layout", "shape", "dtype"),
    [
        (BYTES, "NHWC", (3, 8, 9), "uint8"),
        (BYTES.transpose(0, 3, 1, 2), "NCHW", (3, 8, 9), "uint8"),
        (BYTES, None, (3, 8, 9), "uint8"),
        (BYTES.transpose(1, 2, 3, 0), "HWCN", (3, 8, 9), "uint8"),
        (BYTES.transpose(3, 1, 2, 0), "CHWN", (3, 8, 9), "uint8"),
        (BYTES[..., :2], "NHWC", (2, 8, 9), "uint8"),
        (BYTES[..., [0, 0, 0, 0, 0]], "NHWC", (5, 8, 9), "uint8"),
        (BYTES[..., 0], None, (1, 8, 9), "uint8"),
        (BYTES[..., 0], "NCHW", (1, 8, 9), "uint8"),
        (BYTES[..., 0].transpose(1, 2, 0), "HWCN", (1, 8, 9), "uint8"),
        (BYTES[..., 0] > 100, "NHWC", (1, 8, 9), "uint8"),
        (FLOATS, "NHWC", (1, 8, 9), "float32"),
        (FLOATS.astype(">f4"), "NHWC", (1, 8, 9), "float32"),
        (BYTES.astype(np.int32), "NHWC", (3, 8, 9), "float32"),
    ],
)
def test_images_keep_their_values(tmp_path, images, layout, shape, dtype):
    section = NpzSection(source="npz", path=saved(tmp_path / "all.npz", images), layout=layout)
    data = prepared(section, tmp_path / "data")
    assert data.manifest.inputs == {"images": ArrayForm(shape=shape, dtype=dtype)}
    splits = (data.train, data.validation, data.test)
    sums = sorted(value for split in splits for value in split.inputs[0].double().sum((1, 2, 3)).tolist())
    examples = np.moveaxis(images, -1, 0) if layout in ("HWCN", "CHWN") else images
    axes = tuple(range(1, images.ndim))
    assert sums == pytest.approx(sorted(examples.astype(np.float32).sum(axes, np.float64).tolist()))


def test_the_users_test_set_is_the_test_split(tmp_path):
    section = NpzSection(
        source="npz",
        path=saved(tmp_path / "train.npz"),
        test_path=saved(tmp_path / "test.npz", 255 - BYTES[:7], LABELS[:7]),
    )
    data = prepared(section, tmp_path / "data")
    assert data.manifest.split_sizes == {"train": 15, "validation": 5, "test": 7}
    np.testing.assert_array_equal(data.test.inputs[0].permute(0, 2, 3, 1), 255 - BYTES[:7])
    assert data.manifest.source == "npz train.npz test.npz"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (with_value(FLOATS, (3, 1, 1), np.nan), LABELS, "images hold NaN or infinity, the first at index 3"),
        (with_value(FLOATS, 7, 1e300), LABELS, "must be finite, but 1 images hold NaN or infinity"),
        (BYTES[:, :7], LABELS, "sides of images must be at least 8, got 3×7×9 (channels, height, width, re"),
        (
            np.tile(BYTES, (1, 1, 2, 1)).transpose(0, 3, 1, 2),
            LABELS,
            "images must have 1, 3 or 4 channels unless data.layout is set, got 18, the shape (20, 3, 8, 18) read "
            "as NHWC (examples, height, width, channels): set data.layout: NCHW for 3 channels of 8×18, or NHWC "
            "for 18 channels of 3×8",
        ),
        (BYTES.transpose(1, 2, 3, 0), LABELS, "set data.layout: HWCN for 3 channels of 8×9, or NHWC for 20"),
        (BYTES.transpose(3, 1, 2, 0), LABELS, "set data.layout: CHWN for 3 channels of 8×9, or NHWC for 20"),
        (BYTES[..., :2], LABELS, "got 2, the shape (20, 8, 9, 2) read as NHWC"),
        (BYTES[..., 0], np.arange(8) % 2, "each of 20 examples, or one-hot rows, got labels of the shape (8,)"),
        (BYTES[:8], LABELS, "one label for each of 8 examples, or one-hot rows, got labels of the shape (20,)"),
        (BYTES[0, 0], LABELS, "images must have 3 or 4 axes, got the shape (9, 3)"),
        (BYTES[:0], LABELS[:0], "there must be images, got the shape (0, 3, 8, 9)"),
        (FLOATS.astype(complex), LABELS, "pixels must be real numbers, got the dtype complex128"),
        (FLOATS.astype(object), LABELS, "the array 'images' holds Python objects, which are not read: images of"),
        (BYTES, LABELS.astype(object), "the array 'labels' holds Python objects"),
        (BYTES, LABELS[:, None] + [0, 1], "for each of 20 examples, or one-hot rows, got labels of the shape (20, 2)"),
        (BYTES, LABELS / 2, "labels must be whole numbers, got 0.5 at index 1"),
        (BYTES, np.where(LABELS, np.nan, 0), "labels must be whole numbers, got nan at index 1"),
        (BYTES, LABELS * 1j, "labels must be whole numbers or text, got the dtype complex128"),
        (BYTES, with_value(LABELS, 4, -1), "labels out of range: -1 at index 4; classes are numbered from 0 or 1"),
        (BYTES, with_value(LABELS, 4, 255).astype(np.uint8), "labels out of range: 255 at index 4"),
        (BYTES, LABELS.astype(np.uint64) - 2 * LABELS.astype(np.uint64), "range: 18446744073709551615 at index 1"),
        (BYTES, with_value(LABELS, 4, 2**40), "labels out of range: 1099511627776 at index 4"),
        (BYTES, LABELS * 2, "every class from 0 to 2 must occur, but none of the labels is 1"),
        (BYTES, LABELS * 0, "there must be at least two classes, got only 0"),
        (BYTES, np.repeat([0, 1], [16, 4]), "class '1' must have at least 5 examples"),
    ],
)  # fmt: skip
def test_refuses_arrays(tmp_path, images, labels, message):
    path = saved(tmp_path / "all.npz", images, labels)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        prepared(NpzSection(source="npz", path=path), tmp_path / "data")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (BYTES, with_value(LABELS, 4, 2), "labels out of range: 2 at index 4; .*train.npz has .* 0 to 1"),
        (BYTES[LABELS == 0], LABELS[LABELS == 0], "must have every class, but none .* is of class '1'"),
        (BYTES[:, :, :8], LABELS, "the test set's images must be as in .*train.npz, 3×8×9, got 3×8×8"),
        (BYTES / 255, LABELS, "the test set's type of images must be as in .*train.npz, uint8, got float32"),
    ],
)  # fmt: skip
def test_refuses_test_sets_unlike_the_training_set(tmp_path, images, labels, message):
    section = NpzSection(
        source="npz",
        path=saved(tmp_path / "train.npz"),
        test_path=saved(tmp_path / "test.npz", images, labels),
    )
    with pytest.raises(DataError, match=f"^{tmp_path}/test.npz: .*{message}"):
        prepared(section, tmp_path / "data")


WORDS = np.array(["dog", "café 10", "café 2"])
THREE = np.arange(20) % 3


@pytest.mark.parametrize(
    ("labels", "settings", "names"),
    [
        (LABELS[:, None].astype(np.uint8), {}, ["0", "1"]),
        (LABELS[None], {}, ["0", "1"]),
        (LABELS.astype(np.float64), {}, ["0", "1"]),
        (LABELS.astype(bool), {}, ["0", "1"]),
        (LABELS[:, None].astype(bool), {"class_names": ["no", "yes"]}, ["no", "yes"]),
        (np.eye(3)[THREE], {}, ["0", "1", "2"]),
        (THREE + 1, {}, ["1", "2", "3"]),
        (WORDS[THREE], {}, ["café 2", "café 10", "dog"]),
        (np.char.encode(WORDS, "utf-8")[THREE], {}, ["café 2", "café 10", "dog"]),
    ],
)
def test_labels_are_read_in_the_forms_that_people_have(tmp_path, labels, settings, names):
    section = NpzSection(source="npz", path=saved(tmp_path / "all.npz", labels=labels), **settings)
    data = prepared(section, tmp_path / "data")
    assert data.manifest.task["class_names"] == names
    wanted = np.argsort([2, 1, 0])[THREE] if "dog" in names else THREE if len(names) == 3 else LABELS
    classes = {image.tobytes(): number for image, number in zip(BYTES, wanted, strict=True)}
    for split in (data.train, data.validation, data.test):
        for image, target in zip(split.inputs[0].permute(0, 2, 3, 1), split.targets, strict=True):
            assert classes[image.contiguous().numpy().tobytes()] == target


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (LABELS, ["a"], "data.class_names must have 2 names, for the labels 0 to 1, got 1"),
        (WORDS[THREE], ["a", "b", "c"], "data.class_names must be left out, since the labels are names"),
    ],
)
def test_names_of_classes_fit_the_labels(tmp_path, labels, names, message):
    path = saved(tmp_path / "all.npz", labels=labels)
    with pytest.raises(DataError, match=message):
        prepared(NpzSection(source="npz", path=path, class_names=names), tmp_path / "data")


@pytest.mark.parametrize("test", [LABELS[:8], np.full(8, "cow")])
def test_the_labels_of_the_test_set_are_those_of_training(tmp_path, test):
    section = NpzSection(
        source="npz",
        path=saved(tmp_path / "train.npz", labels=WORDS[THREE]),
        test_path=saved(tmp_path / "test.npz", 255 - BYTES[:8], test),
    )
    with pytest.raises(DataError, match="test.npz: labels (must be as in|out of range: cow at index 0)"):
        prepared(section, tmp_path / "data")


@pytest.mark.parametrize(
    ("images", "labels"), [("x_train", "y_train"), ("train_images", "train_labels"), ("X", "y")]
)
def test_usual_keys_are_found(tmp_path, images, labels):
    arrays = {images: BYTES, labels: LABELS}
    if "train" in images:
        arrays |= {
            images.replace("train", "test"): 255 - BYTES[:6],
            labels.replace("train", "test"): LABELS[:6],
        }
    np.savez(tmp_path / "all.npz", **arrays)
    said: list[str] = []
    manifest = prepare(NpzSection(source="npz", path=tmp_path / "all.npz"), tmp_path / "data", said.append)
    assert (
        f"{tmp_path}/all.npz: images are {images} and labels {labels} (data.images_key, data.labels_key)"
        in said
    )
    assert manifest.split_sizes["test"] == (6 if "train" in images else 4)


def test_an_archive_without_images_and_labels_is_reported(tmp_path):
    np.save(tmp_path / "one.npy", BYTES)
    np.savez(tmp_path / "other.npz", pictures=BYTES)
    for name, told in (
        ("one.npy", "is one .npy array, and must be an archive"),
        ("other.npz", "'pictures': set data.i"),
    ):
        with pytest.raises(DataError, match=told):
            prepared(NpzSection(source="npz", path=tmp_path / name), tmp_path / "data")


def npz_bytes() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, images=BYTES, labels=LABELS)
    return buffer.getvalue()


def corrupted_zip() -> bytes:
    whole = bytearray(npz_bytes())
    whole[1000] ^= 255
    return bytes(whole)


def zip_of_absurd_header() -> bytes:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,8,8), }\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header)
        archive.writestr("labels.npy", b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"no archive", "is not an .npz archive, or is truncated"),
        (lambda: npz_bytes()[:-100], "is not an .npz archive, or is truncated"),
        (corrupted_zip, "cannot be read: Bad CRC-32"),
        (
            zip_of_absurd_header,
            "the array 'images' must have the 512000000000000086 bytes of its header, got 86",
        ),
    ],
)
def test_refuses_broken_archives(tmp_path, content, message):
    path = tmp_path / "all.npz"
    path.write_bytes(content())
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: {message}"):
        prepared(NpzSection(source="npz", path=path), tmp_path / "data")


def test_a_file_of_torch_is_named(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "all.npz")
    with pytest.raises(DataError, match=r"all.npz: must be a NumPy archive, and is a file of torch.save"):
        prepared(NpzSection(source="npz", path=tmp_path / "all.npz"), tmp_path / "data")


def test_names_the_keys_there_are(tmp_path):
    section = NpzSection(source="npz", path=saved(tmp_path / "all.npz"), images_key="x_train")
    with pytest.raises(DataError, match=r"all.npz: has no array 'x_train', but 'images', 'labels'"):
        prepared(section, tmp_path / "data")


def test_a_test_set_has_keys_of_its_own(tmp_path):
    np.savez(tmp_path / "all.npz", x_train=BYTES, y_train=LABELS, x_test=255 - BYTES[:6], y_test=LABELS[:6])
    path = tmp_path / "all.npz"
    keys = {"images_key": "x_train", "labels_key": "y_train"}
    said: list[str] = []
    for settings in (
        {"test_path": path},
        {"test_images_key": "x_test"},
        {"test_images_key": "x_test", "test_labels_key": "y_test"},
    ):
        section = NpzSection(source="npz", path=path, **keys, **settings)
        prepare(section, tmp_path / "data", said.append)
        test = PreparedData.open(tmp_path / "data").test
        np.testing.assert_array_equal(test.inputs[0].permute(0, 2, 3, 1), 255 - BYTES[:6])
        assert f"{path}: the test set is x_test and y_test" in said
    without = prepared(NpzSection(source="npz", path=path, **keys), tmp_path / "data")
    assert sum(without.manifest.split_sizes.values()) == len(BYTES)


SMALL = """
import resource, sys
from pathlib import Path
from cellwright.tasks.images.sources.npz import NpzReader, NpzSection
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), resource.RLIM_INFINITY))
try:
    NpzReader(NpzSection(source="npz", path=sys.argv[1])).read(print)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_an_archive_of_three_sets_is_read_as_such(tmp_path):
    """As MedMNIST's archives are; the validation set is asked for by its archive or its keys."""
    parts = {"train": slice(0, 12), "val": slice(12, 16), "test": slice(16, 20)}
    arrays = {f"{part}_images": BYTES[where] for part, where in parts.items()}
    arrays |= {f"{part}_labels": LABELS[where, None] for part, where in parts.items()}
    np.savez(tmp_path / "all.npz", **arrays)
    path = tmp_path / "all.npz"
    for number, keys in enumerate(
        (
            {"validation_path": path},
            {"validation_images_key": "val_images", "validation_labels_key": "val_labels"},
        )
    ):
        data = prepared(NpzSection(source="npz", path=path, **keys), tmp_path / str(number))
        assert data.manifest.split_sizes == {"train": 12, "validation": 4, "test": 4}
        assert data.validation.targets.tolist() == LABELS[12:16].tolist()
    del arrays["test_images"]
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="all.npz: a validation set needs a test set"):
        prepared(NpzSection(source="npz", path=path, validation_path=path), tmp_path / "refused")


def zipped(path: Path, method: int, num_bytes: int, declared: int) -> Path:
    """Return an archive whose images are that many zeros, and as many as declared by their header."""
    with zipfile.ZipFile(path, "w", method) as archive:
        with archive.open("images.npy", "w") as file:
            shape = (declared >> 10, 32, 32)
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|u1", "fortran_order": False, "shape": shape}
            )
            for _ in range(num_bytes >> 20):
                file.write(bytes(1 << 20))
        labels = io.BytesIO()
        np.save(labels, np.zeros(8, np.int64))
        archive.writestr("labels.npy", labels.getvalue())
    return path


@pytest.mark.parametrize(
    ("method", "num_bytes", "declared", "message"),
    [
        (zipfile.ZIP_BZIP2, 1 << 24, 1 << 24, "must be stored or deflated"),
        (zipfile.ZIP_LZMA, 1 << 24, 1 << 24, "must be stored or deflated"),
        (zipfile.ZIP_DEFLATED, 1 << 20, 1 << 40, "bytes of its header, got 1048704"),
        (zipfile.ZIP_DEFLATED, 1 << 29, 1 << 20, "must have the 1048704 bytes of its header, got 536871040"),
        (zipfile.ZIP_DEFLATED, 1 << 29, 1 << 29, "takes 512 MiB, and there are"),
    ],
)
def test_a_small_archive_that_stands_for_much_is_refused_in_little_memory(
    tmp_path: Path, method: int, num_bytes: int, declared: int, message: str
):
    path = zipped(tmp_path / "bomb.npz", method, num_bytes, declared)
    assert path.stat().st_size < 600_000
    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith(f"DataError {path}: "), done
    assert message in done.stdout
    assert done.stdout.count("\n") == 1


def test_what_no_memory_holds_is_refused_by_its_size():
    with pytest.raises(
        DataError, match=r"all of it takes 1,073,741,824 MiB, and there are [\d,]+ MiB of mem"
    ):
        require_memory("all of it", 1 << 50)
