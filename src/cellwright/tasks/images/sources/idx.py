"""IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist."""

import gzip
import math
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BufferedIOBase
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from cellwright.data import Reader, Source
from cellwright.data.opening import open_data, open_file
from cellwright.errors import DataError
from cellwright.spec.location import Location
from cellwright.tasks.images.arrays import (
    ArraySection,
    Layout,
    Pixels,
    as_images,
    labelled_sets,
)
from cellwright.tasks.labels import Labels, read_labels

GZIP_MAGIC = b"\x1f\x8b"
GZIP_MAX_RATIO = 1032
"""Maximum compression ratio of Deflate."""
UNSIGNED_BYTE = 8
CHUNK = 1 << 20


class IdxSection(ArraySection):
    """IDX files, the format of MNIST, optionally gzipped."""

    LOCATIONS = ("images", "labels", "validation_images", "validation_labels", "test_images", "test_labels")
    TEST_KEYS = ("test_images", "test_labels")

    reader = "cellwright.tasks.images.sources.idx:IdxReader"
    task = "images"

    source: Literal["idx"]
    images: Location
    """Images, in one file."""
    labels: Location
    """Labels of `images`, in the same order."""
    validation_images: Location | None = None
    """Images of the user's own validation set. It needs a test set. `images` is then the training set, and no split is
    drawn from it."""
    validation_labels: Location | None = None
    """Labels of `validation_images`."""
    test_images: Location | None = None
    """Images of the user's own test set."""
    test_labels: Location | None = None
    """Labels of `test_images`."""

    @model_validator(mode="after")
    def _files_come_in_pairs(self) -> Self:
        for part in ("validation", "test"):
            if (getattr(self, f"{part}_images") is None) != (getattr(self, f"{part}_labels") is None):
                raise ValueError(f"{part}_images and {part}_labels must be given together")
        if self.validation_images and not self.test_images:
            raise ValueError("test_images must be given where validation_images is")
        return self


class IdxReader(Reader):
    """Reads pairs of files."""

    section: IdxSection

    def read(self, log: Callable[[str], None]) -> Source:
        """Read images and labels, including those of validation and test sets if there are any."""
        section = self.section
        pairs = {
            "train": (section.images, section.labels),
            "validation": (section.validation_images, section.validation_labels),
            "test": (section.test_images, section.test_labels),
        }
        sets = {
            part: (*_read_pair(Path(images), Path(labels), section.layout, log), str(labels))
            for part, (images, labels) in pairs.items()
            if images and labels
        }
        return labelled_sets(sets, section.class_names)


def _read_pair(
    images_path: Path, labels_path: Path, layout: Layout | None, log: Callable[[str], None]
) -> tuple[Pixels, Labels]:
    image_array, label_array = read_idx(images_path), read_idx(labels_path)
    if image_array.ndim == 1 and label_array.ndim > 1:
        raise DataError(f"{images_path}: holds labels, and {labels_path} images: exchange them in the spec")
    images = as_images(image_array, layout, str(images_path))
    return images, read_labels(label_array, len(images), str(labels_path), log)


def is_idx(path: Path) -> bool:
    """Return whether a file is in the IDX format of bytes, by its content; gzip is taken for it."""
    with open_file(path) as file:
        return file.read(3).startswith((GZIP_MAGIC, bytes((0, 0, UNSIGNED_BYTE))))


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array in an IDX file, which may be compressed.

    Raises:
        DataError: the file cannot be read, or is damaged.
    """
    with open_data(path) as file:
        stored = path.stat().st_size
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        try:
            if not zipped:
                return _parse(file, stored, path)
            with gzip.open(file) as unzipped:
                return _parse(unzipped, stored * GZIP_MAX_RATIO, path)
        except EOFError as error:
            raise DataError(f"{path}: truncated: the gzip stream ends too soon") from error
        except (OSError, zlib.error) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error


def _parse(file: BufferedIOBase, most: int, path: Path) -> NDArray[np.uint8]:
    """Read an array from a file with at most `most` bytes, which limits the allocation."""
    magic = _read_bytes(file, 4, 4, "the magic number", path).tobytes()
    zeros, kind, num_axes = magic[:2], magic[2], magic[3]
    if zeros != b"\0\0" or kind != UNSIGNED_BYTE or num_axes not in (1, 3, 4):
        raise DataError(
            f"{path}: an IDX file must begin with 00 00 08 (unsigned bytes) and 01 (labels) or 03 or 04 "
            f"(images), got {magic.hex(' ')}"
        )
    header = _read_bytes(file, 4 * num_axes, 4 * num_axes, "the header", path)
    shape = tuple(map(int, header.view(">u4")))
    values = _read_bytes(file, math.prod(shape), most, f"the header's {'×'.join(map(str, shape))}", path)
    if file.read(1):
        raise DataError(f"{path}: must end after the {len(values)} bytes of its header's shape, {shape}")
    return values.reshape(shape)


def _read_bytes(file: BufferedIOBase, size: int, most: int, what: str, path: Path) -> NDArray[np.uint8]:
    values = np.empty(min(size, most), np.uint8)
    found = 0
    with suppress(EOFError):
        while count := file.readinto1(values[found : found + CHUNK].data):
            found += count
    if found < size:
        raise DataError(f"{path}: truncated: expected {size} bytes for {what}, found {found}")
    return values
