import io
import os
import re
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellwright.data.prepared import PreparedData
from cellwright.errors import DataError
from cellwright.tasks.images.sources.folder import FolderSection, class_files, class_names
from cellwright.tasks.preparing import prepare

RNG = np.random.default_rng(0)
FORMATS = ["png", "jpeg", "bmp", "gif", "webp", "tiff"]
NOISE = Image.fromarray(RNG.integers(0, 256, (12, 10, 3), np.uint8))


def encoded(image: Image.Image, file_format: str = "png", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.fixture
def pets(tmp_path) -> Path:
    """Two classes, six images each, in all formats."""
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for file_format in FORMATS:
            (tmp_path / "pets" / name / f"1.{file_format}").write_bytes(encoded(NOISE, file_format))
    return tmp_path / "pets"


def prepared(pets: Path, said: list[str] | None = None, **settings) -> PreparedData:
    section = FolderSection(source="images", path=pets, **settings)
    prepare(section, pets.parent / "data", (said if said is not None else []).append)
    return PreparedData.open(pets.parent / "data")


def one_image(pets: Path, content: bytes, **settings) -> np.ndarray:
    """Return the image, on its own as a test set is beside others, as prepared."""
    for number, name in enumerate(("cats", "dogs")):
        for file in (pets / name).iterdir():
            file.write_bytes(encoded(Image.new("RGB", (10, 12), (number, 1, 2))))
    for name in ("cats", "dogs"):
        (pets.parent / "one" / name).mkdir(parents=True)
        (pets.parent / "one" / name / "1").write_bytes(content)
    return prepared(pets, test_path=pets.parent / "one", **settings).test.inputs[0][0].numpy()


def test_folders_are_classes(pets):
    (pets / ".hidden").mkdir()
    (pets / "cats" / ".DS_Store").write_bytes(b"")
    data = prepared(pets)
    assert data.manifest.task["class_names"] == ["cats", "dogs"]
    assert data.manifest.inputs["images"].shape == (3, 12, 10)
    assert data.manifest.source == "images pets"
    assert sum(data.manifest.split_sizes.values()) == 12


def test_lossless_formats_keep_their_pixels(pets):
    np.testing.assert_array_equal(one_image(pets, encoded(NOISE)).transpose(1, 2, 0), np.asarray(NOISE))


def test_resizes_to_height_and_width(pets):
    (pets / "cats" / "small.png").write_bytes(encoded(NOISE.resize((5, 30))))
    assert prepared(pets, resize=(8, 11)).manifest.inputs["images"].shape == (3, 8, 11)


HALF_RED = Image.new("RGBA", (10, 12), (255, 0, 0, 128))
CLEAR_PALETTE = Image.new("P", (10, 12), 1)
CLEAR_PALETTE.putpalette([255, 0, 0, 0, 255, 0])
SIDEWAYS = NOISE.transpose(Image.Transpose.ROTATE_90)
EXIF = Image.Exif()
EXIF[0x0112] = 6


@pytest.mark.parametrize(
    ("content", "channels", "pixel"),
    [
        (encoded(HALF_RED), "rgb", (255, 127, 127)),
        (encoded(HALF_RED), "grey", (165,)),
        (encoded(HALF_RED.convert("LA")), "grey", (165,)),
        (encoded(CLEAR_PALETTE, transparency=1), "rgb", (255, 255, 255)),
        (encoded(Image.new("1", (10, 12), 1)), "rgb", (255, 255, 255)),
        (encoded(Image.new("CMYK", (10, 12)), "jpeg"), "grey", (255,)),
        (encoded(SIDEWAYS, exif=EXIF), "rgb", NOISE.getpixel((0, 0))),
    ],
)
def test_every_mode_becomes_grey_or_rgb_upright_on_white(pets, content, channels, pixel):
    assert tuple(one_image(pets, content, channels=channels)[:, 0, 0]) == pixel


@pytest.mark.parametrize("file_format", FORMATS)
def test_refuses_truncated_images(pets, file_format):
    whole = encoded(NOISE, file_format)
    (pets / "cats" / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="pets: 1 of 13 images cannot be used: cats/cut: .+"):
        prepared(pets)


def bomb(side: int = 10_000) -> bytes:
    """Return a small PNG whose header claims that many pixels on each side."""
    whole = bytearray(encoded(Image.new("1", (8, 8))))
    whole[16:24] = side.to_bytes(4) * 2
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4)
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a readable PNG, JPEG, BMP, GIF, WEBP, TIFF: it is empty"),
        (
            b"\0\0\0\x18ftypheic" + bytes(99),
            "is HEIC or AVIF, which is not read: convert it, as magick mogrify",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, not the data"),
        (b"some text", "is not a readable PNG, JPEG, BMP, GIF, WEBP, TIFF"),
        (encoded(NOISE, "ppm"), "is not a readable PNG, JPEG, BMP, GIF, WEBP, TIFF"),
        (bomb(), "has 10000×10000 pixels, and must have at most 25000000"),
        (bomb(5_001), "has 5001×5001 pixels, and must have at most 25000000"),
        (
            encoded(Image.new("F", (10, 12)), "tiff"),
            r"pixels of more than 16 bits \(mode F\) need data.source npz",
        ),
    ],
)
def test_refuses_files_by_name(pets, content, message):
    (pets / "dogs" / "notes").write_bytes(content)
    with pytest.raises(DataError, match=f"pets: 1 of 13 images cannot be used: dogs/notes: {message}"):
        prepared(pets)


def test_names_a_file_of_another_size(pets):
    (pets / "dogs" / "tall").write_bytes(encoded(NOISE.resize((10, 13))))
    told = "1 of 13 images have another size: set data.resize: dogs/tall: is 13×10, others are 12×10"
    with pytest.raises(DataError, match=told):
        prepared(pets)


def test_names_five_errors_and_lists_all(pets):
    names = [f"note{number}" for number in range(5)] + ["note5\n\x1b[31m", os.fsdecode(b"note6\xe9")]
    for name in names:
        (pets / "dogs" / name).touch()
    told = r"7 of 19 images.*dogs/note0.*dogs/note4.*; and 2 more; data.on_broken: skip leaves them out; all are "
    with pytest.raises(DataError, match=told) as caught:
        prepared(pets)
    listed = (pets.parent / "data" / "broken.txt").read_text().splitlines()
    assert str(caught.value).endswith(f"listed in {pets.parent}/data/broken.txt")
    assert [line.partition(": ")[0] for line in listed] == [
        *(f"{pets}/dogs/note{number}" for number in range(5)),
        rf"{pets}/dogs/note5\n\x1b[31m",
        rf"{pets}/dogs/note6\udce9",
    ]


def test_broken_files_can_be_left_out_up_to_a_limit(pets):
    whole = prepared(pets)
    for number in range(3):
        (pets / "cats" / f"0{number}.png").write_bytes(encoded(NOISE)[:70])
    said: list[str] = []
    data = prepared(pets, said, on_broken="skip", max_broken=0.2)
    assert data.manifest.content_hash == whole.manifest.content_hash
    list_of_all = pets.parent / "data" / "broken.txt"
    assert f"3 files are left out, since they cannot be used; {list_of_all} lists them" in said
    assert len(list_of_all.read_text().splitlines()) == 3
    with pytest.raises(
        DataError, match=r"3 of 15 .*; more than data.max_broken, 0.1, a share of 0.2; all are l"
    ):
        prepared(pets, on_broken="skip", max_broken=0.1)
    for file in pets.glob("cats/0*"):
        file.unlink()
    prepared(pets)
    assert not list_of_all.exists()


def test_damage_that_loses_no_pixel_is_repaired(pets):
    jpeg, png = encoded(NOISE.resize((64, 64)), "jpeg"), encoded(NOISE.resize((64, 64)))
    assert jpeg.endswith(b"\xff\xd9")
    text = b"tEXtparameters\0" + b"a" * 2_000_000
    chunk = (len(text) - 4).to_bytes(4) + text
    long, wrong = (png[:33] + chunk + crc + png[33:] for crc in (zlib.crc32(text).to_bytes(4), b"\0\0\0\0"))
    how = FolderSection(source="images", path=pets).image_files
    for content, whole in ((jpeg[:-2], jpeg), (jpeg + b"\0trailing", jpeg), (long, png), (wrong, png)):
        np.testing.assert_array_equal(how.decode(content), how.decode(whole))
    for content in (jpeg[:-40], encoded(NOISE.resize((64, 64)), "jpeg", progressive=True)[:-2]):
        with pytest.raises(DataError, match="truncated"):
            how.decode(content)


def test_of_16_bits_the_higher_ones_are_kept(pets):
    grey = np.arange(120, dtype=np.uint16).reshape(12, 10) * 500
    for file_format in ("png", "tiff"):
        how = FolderSection(source="images", path=pets, channels="grey").image_files
        np.testing.assert_array_equal(how.decode(encoded(Image.fromarray(grey), file_format))[0], grey // 256)


def test_what_people_have_in_folders_is_passed_over(pets):
    before = prepared(pets).manifest.content_hash
    for name in (
        "README.md",
        "labels.csv",
        "Thumbs.db",
        "cats/LICENSE.txt",
        "cats/Thumbs.db",
        "dogs/desktop.ini",
    ):
        (pets / name).write_bytes(b"x")
    for name in (
        "__pycache__/a.pyc",
        "__MACOSX/cats/._1.png",
        "cats/__MACOSX/1.png",
        "dogs/.thumbnails/1.png",
    ):
        (pets / name).parent.mkdir(parents=True)
        (pets / name).write_bytes(b"x")
    said: list[str] = []
    assert prepared(pets, said).manifest.content_hash == before
    assert (
        f"{pets}: passed over cats/LICENSE.txt, README.md, labels.csv, which by their names are not images"
        in said
    )
    names = [str(path.relative_to(pets)) for path in pets.rglob("*") if path.is_file()]
    kept = [str(path.relative_to(pets)) for files in class_files(pets).values() for path in files]
    assert sorted(class_names("s3://b/pets", names)) == sorted(kept)


def test_images_may_be_in_folders_below_that_of_their_class(pets):
    (pets / "cats/young/small").mkdir(parents=True)
    (pets / "cats/1.tiff").rename(pets / "cats/young/small/1.tiff")
    data = prepared(pets)
    assert (sum(data.manifest.split_sizes.values()), data.manifest.task["class_names"]) == (
        12,
        ["cats", "dogs"],
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda pets: (pets / "birds").mkdir(), ": birds has no image"),
        (lambda pets: (pets / "a.JPG").touch(), ": a.JPG is in no class's folder"),
        (lambda pets: os.mkfifo(pets / "cats/pipe"), ": cats/pipe is no file"),
        (lambda pets: (pets / "cats" / "loop").symlink_to(pets), ": cats/loop is a link to .*pets, which is a fold"),
        (lambda pets: (pets / "cats" / "gone").symlink_to("no"), ": cats/gone is a link to no, which is not there"),
        (lambda pets: (pets / "all").symlink_to(pets), ": all/all is a link to .*pets, which is a folder"),
        (lambda pets: (pets / "dogs").rename(pets.parent / "dogs"), "at least two classes, got only cats"),
    ],
)  # fmt: skip
def test_refuses_folders(pets, build, message):
    build(pets)
    with pytest.raises(DataError, match=f"^{pets}: .*{message}"):
        prepared(pets)


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_refuses_folders_without_classes(tmp_path, folder):
    with pytest.raises(
        DataError, match="there is no such folder|must hold a folder per class, but holds none"
    ):
        prepared(tmp_path / folder)


def test_the_users_validation_set_is_the_validation_split(tmp_path):
    paths = {
        key: with_classes(tmp_path / key, "cats", "dogs") for key in ("path", "validation_path", "test_path")
    }
    for number, folder in enumerate(paths.values()):
        for index, file in enumerate(sorted(folder.rglob("*.png"))[number:]):
            file.write_bytes(encoded(Image.new("RGB", (8, 8), (number, index, 7))))
        for file in sorted(folder.rglob("*.png"))[:number]:
            file.unlink()
    prepare(FolderSection(source="images", **paths), tmp_path / "data", lambda fact: None)
    data = PreparedData.open(tmp_path / "data")
    assert data.manifest.split_sizes == {"train": 10, "validation": 9, "test": 8}
    for number, split in enumerate((data.train, data.validation, data.test)):
        assert set(split.inputs[0][:, 0].unique().tolist()) == {number}
    with pytest.raises(ValueError, match="test_path must be given where validation_path is"):
        FolderSection(source="images", path=tmp_path, validation_path=tmp_path)


def test_images_in_no_folder_are_reported(tmp_path):
    for number in range(3):
        (tmp_path / f"cat.{number}.jpg").touch()
    with pytest.raises(
        DataError, match="holds 3 images and no folder: move the images of each class into a fo"
    ):
        prepared(tmp_path)


def test_the_test_folder_has_the_same_classes(pets):
    for name in ("cats", "birds"):
        (pets.parent / "test" / name).mkdir(parents=True)
        (pets.parent / "test" / name / "1.png").write_bytes(encoded(NOISE))
    with pytest.raises(
        DataError,
        match="test: the classes must be .*pets, but 'dogs' is missing and 'birds' is no class there",
    ):
        prepared(pets, test_path=pets.parent / "test")


def with_classes(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        for index in range(5):
            path = folder / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(Image.new("RGB", (8, 8), (number, index, 0))))
    return folder


def test_classes_are_in_natural_order(tmp_path):
    names = [*map(str, range(12)), "a2b1", "a2b10", "a10", "b", "é"]
    shuffled = RNG.permutation(names)
    data = prepared(with_classes(tmp_path / "pets", *shuffled))
    assert data.manifest.task["class_names"] == list(names)
    for image, label in zip(data.train.inputs[0], data.train.targets, strict=True):
        assert shuffled[image[0, 0, 0]] == names[label]


def test_names_have_one_unicode_form(tmp_path):
    photos = with_classes(tmp_path / "pets", unicodedata.normalize("NFD", "café"), "dogs")
    test = tmp_path / "test"
    for number, name in enumerate(("café", "dogs")):
        (test / name).mkdir(parents=True)
        (test / name / "1.png").write_bytes(encoded(Image.new("RGB", (8, 8), (number, 9, 9))))
    assert prepared(photos, test_path=test).manifest.task["class_names"] == ["café", "dogs"]


def test_names_that_differ_in_unicode_form_alone_are_refused(tmp_path):
    photos = with_classes(tmp_path / "pets", "café", unicodedata.normalize("NFD", "café"), "dogs")
    with pytest.raises(
        DataError, match=r"pets: names of classes must differ .* 'café' is .*: 'cafe\\u0301', 'caf\\xe9'"
    ):
        prepared(photos)


def test_reports_names_that_differ_by_case_alone(tmp_path):
    said: list[str] = []
    prepared(with_classes(tmp_path / "pets", "dogs", "cats", "Cats"), said)
    assert f"{tmp_path / 'pets'}: the classes Cats and cats differ by case alone" in said


def test_a_folder_around_those_of_the_classes_is_named(tmp_path):
    inner = with_classes(tmp_path / "pets/pets", "cats", "dogs")
    with pytest.raises(DataError, match=f"holds only pets, in which there are 2: use {inner}"):
        prepared(tmp_path / "pets")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train", "test"], "train and test are parts of a split: set data.path: {0}/train and data.test_path: "
                            "{0}/test"),
        (["Train", "VALID", "Test"], "Train, VALID and Test are parts of a split: set data.path: {0}/Train, "
                                     "data.validation_path: {0}/VALID and data.test_path: {0}/Test"),
        (["training_set", "test-set", "extra"], "training_set and test-set are parts of a split"),
        (["seg_train", "seg_test", "seg_pred"], "seg_train and seg_test are parts of a split"),
        (["train2017", "val2017"], "set data.path: {0}/train2017; data.validation_fraction"),
        (["test", "val"], "val and test are parts of a split: set data.test_path: {0}/test; data.validation_"),
        (["train"], "train is a part of a split: set data.path: {0}/train"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("nested", [False, True])
def test_the_parts_of_a_split_are_no_classes(tmp_path, names, message, nested):
    photos = with_classes(tmp_path / "pets", *(f"{name}/{c}" for name in names for c in "ab"[: nested + 1]))
    if not nested:
        for file in list(photos.glob("*/a/*")):
            file.rename(file.parents[1] / file.name)
        for folder in photos.glob("*/a"):
            folder.rmdir()
    expected = re.escape(message.format(photos))
    with pytest.raises(DataError, match=f"pets: must hold a folder per class, but .*{expected}"):
        prepared(photos)
    listing = [str(file.relative_to(photos)) for file in photos.rglob("*.png")]
    with pytest.raises(DataError, match="s3://b/photos: must hold a folder per class, but .* of a split"):
        class_names("s3://b/photos", listing)


@pytest.mark.parametrize(
    "names", [["train", "car", "bus"], ["test_tube", "train_station"], ["valid", "torn"]]
)
def test_classes_may_have_one_name_that_a_split_has(tmp_path, names):
    assert set(prepared(with_classes(tmp_path / "pets", *names)).manifest.task["class_names"]) == set(names)


def test_a_large_jpeg_is_decoded_at_a_smaller_scale(pets):
    large = Image.new("RGB", (5_100, 5_000), (200, 100, 50))
    pixels = one_image(pets, encoded(large, "jpeg"), resize=(12, 10))
    assert pixels.shape == (3, 12, 10)
    assert abs(pixels[:, 5, 5].astype(int) - (200, 100, 50)).max() <= 2


def test_sides_are_bounded():
    with pytest.raises(ValueError, match="less than or equal to 1024"):
        FolderSection(source="images", path="pets", resize=(1025, 8))


def test_a_class_whose_name_is_not_utf8_is_named_by_its_bytes(pets):
    os.rename(os.fsencode(pets / "cats"), os.fsencode(pets) + b"/caf\xe9")
    with pytest.raises(DataError, match=re.escape(r"must be UTF-8, got the folder b'caf\xe9'")):
        prepared(pets)


def test_examples_of_the_test_split_keep_the_names_of_their_files(pets):
    for number in range(4):
        (pets / "cats" / f"a cat {number}.png").write_bytes(
            encoded(Image.new("RGB", (10, 12), (number,) * 3))
        )
    data = prepared(pets)
    assert len(data.test_files) == len(data.test)
    for name, image, label in zip(data.test_files, data.test.inputs[0], data.test.targets, strict=True):
        assert name.startswith(data.manifest.task["class_names"][label] + "/")
        with Image.open(pets / name) as kept:
            assert np.array_equal(np.asarray(kept.convert("RGB")).transpose(2, 0, 1), image.numpy())
    (data.folder / "test_files.json").write_text('["one"]')
    with pytest.raises(DataError, match=r"test_files\.json: must name the file of each example"):
        _ = PreparedData.open(data.folder).test_files
