import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellwright.data import PreparedData
from cellwright.errors import DataError
from cellwright.spec import ImagesData
from cellwright.tasks.images import prepare

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
    section = ImagesData(source="images", path=pets, **settings)
    prepare(section, pets.parent / "data", (said if said is not None else []).append)
    return PreparedData.open(pets.parent / "data")


def one_image(pets: Path, content: bytes, **settings) -> np.ndarray:
    """Return the image, on its own as a test set is, as prepared."""
    for name in ("cats", "dogs"):
        (pets.parent / "one" / name).mkdir(parents=True)
        (pets.parent / "one" / name / "1").write_bytes(content)
    return prepared(pets, test_path=pets.parent / "one", **settings).test.images[0].numpy()


def test_folders_are_classes(pets):
    (pets / ".hidden").mkdir()
    (pets / "cats" / ".DS_Store").write_bytes(b"")
    data = prepared(pets)
    assert data.manifest.class_names == ("cats", "dogs")
    assert data.manifest.image_shape == (3, 12, 10)
    assert data.manifest.source == "images pets"
    assert sum(data.manifest.split_sizes.values()) == 12


def test_lossless_formats_keep_their_pixels(pets):
    np.testing.assert_array_equal(one_image(pets, encoded(NOISE)).transpose(1, 2, 0), np.asarray(NOISE))


def test_resizes_to_height_and_width(pets):
    (pets / "cats" / "small.png").write_bytes(encoded(NOISE.resize((5, 30))))
    assert prepared(pets, resize=(8, 11)).manifest.image_shape == (3, 8, 11)


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


def bomb() -> bytes:
    """Return a small PNG whose header claims a hundred million pixels."""
    whole = bytearray(encoded(Image.new("1", (8, 8))))
    whole[16:24] = (10_000).to_bytes(4) + (10_000).to_bytes(4)
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4)
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no readable PNG, JPEG, BMP, GIF, WEBP, TIFF"),
        (b"some text", "is no readable PNG, JPEG, BMP, GIF, WEBP, TIFF"),
        (encoded(NOISE, "ppm"), "is no readable PNG, JPEG, BMP, GIF, WEBP, TIFF"),
        (bomb(), ".*could be decompression bomb"),
        (encoded(NOISE.resize((10, 13))), "is 13×10, others are 12×10: set data.resize"),
        (
            encoded(Image.new("I;16", (10, 12))),
            r"pixels of more than 8 bits \(mode I;16\) need data.source npz",
        ),
    ],
)
def test_refuses_files_by_name(pets, content, message):
    (pets / "dogs" / "notes").write_bytes(content)
    with pytest.raises(DataError, match=f"pets: 1 of 13 images cannot be used: dogs/notes: {message}"):
        prepared(pets)


def test_names_five_mistakes_and_counts_the_others(pets):
    for number in range(7):
        (pets / "dogs" / f"note{number}").touch()
    with pytest.raises(DataError, match=r"7 of 19 images.*dogs/note0.*dogs/note4.*; and 2 more$"):
        prepared(pets)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda pets: (pets / "birds").mkdir(), ": birds is empty"),
        (lambda pets: (pets / "README").touch(), ": README is no folder"),
        (lambda pets: (pets / "cats" / "young").mkdir(), ": cats/young is no file"),
        (lambda pets: (pets / "cats" / "loop").symlink_to(pets), ": cats/loop is no file"),
        (lambda pets: (pets / "cats" / "self").symlink_to("self"), ": cats/self is no file"),
        (lambda pets: (pets / "all").symlink_to(pets), ": all/all is no file"),
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


def test_the_test_folder_has_the_same_classes(pets):
    for name in ("cats", "birds"):
        (pets.parent / "test" / name).mkdir(parents=True)
        (pets.parent / "test" / name / "1.png").write_bytes(encoded(NOISE))
    with pytest.raises(
        DataError, match="test: the folders must be those of .*pets: dogs missing; birds unknown"
    ):
        prepared(pets, test_path=pets.parent / "test")
