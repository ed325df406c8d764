"""NumPy archives."""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.data import Examples, Reader, Source
from cellwright.data.memory import require_memory
from cellwright.data.opening import open_file
from cellwright.errors import DataError
from cellwright.spec.place import Place
from cellwright.tasks.images.arrays import (
    ArraySection,
    as_images,
    as_labels,
    classified,
    labelled,
    numbered_classes,
)

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""What reads the header of each version of NumPy's format; the third is for names of fields."""


class NpzSection(ArraySection):
    """A NumPy archive with an array of images, N×H×W or N×H×W×C by default, and one of labels, N."""

    TEST_KEYS = ("test_path", "test_images_key", "test_labels_key")

    reader = "cellwright.tasks.images.sources.npz:NpzReader"
    task = "images"

    source: Literal["npz"]
    path: Place
    """The archive."""
    test_path: Place | None = None
    """An archive with the user's own test set, which may be the same archive with arrays of its own."""
    images_key: str = "images"
    labels_key: str = "labels"
    test_images_key: str | None = None
    """The test set's images, in `test_path`, or in `path` if there is none. By default, x_test for x_train and the
    like where there is such an array, else `images_key`."""
    test_labels_key: str | None = None
    """As `test_images_key`, for the labels."""

    @property
    def test_place(self) -> str | Path | None:
        """Return the archive of the user's own test set."""
        has_keys = self.test_images_key or self.test_labels_key
        return self.test_path or (self.path if has_keys else None)


class NpzReader(Reader):
    """Reads arrays; nothing in an archive is unpickled."""

    section: NpzSection

    def read(self, say: Callable[[str], None]) -> Source:
        """Read the examples, and the test set if there is one."""
        section = self.section
        with _opened(Path(section.path)) as archive:
            examples = _read(archive, section.images_key, section.labels_key, section)
        test = None
        if place := section.test_place:
            with _opened(Path(place)) as archive:
                images_key = section.test_images_key or _test_key(section.images_key, archive)
                labels_key = section.test_labels_key or _test_key(section.labels_key, archive)
                say(f"{place}: the test set is {images_key} and {labels_key}")
                test = _read(archive, images_key, labels_key, section)
        return classified(numbered_classes(examples.targets, examples.origin), examples, test)


def _test_key(key: str, archive: "_Archive") -> str:
    """Return the key of the test set's array: x_test for x_train if there is one, else the same key."""
    for train, test in (("train", "test"), ("Train", "Test"), ("TRAIN", "TEST")):
        if train in key and (found := key.replace(train, test)) in archive.keys:
            return found
    return key


@contextmanager
def _opened(path: Path) -> Iterator["_Archive"]:
    with open_file(path) as file:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path}: is no .npz archive, or is truncated")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as arrays:
                yield _Archive(path, arrays)
        except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error


@dataclass(frozen=True)
class _Archive:
    path: Path
    arrays: Any

    @property
    def keys(self) -> list[str]:
        return list(self.arrays.files)

    def array(self, key: str) -> NDArray[Any]:
        if key not in self.keys:
            raise DataError(
                f"{self.path}: has no array {key!r}, but {', '.join(map(repr, self.keys)) or 'none'}"
            )
        self._check_size(key)
        array: NDArray[Any] = self.arrays[key]
        return array

    def _check_size(self, key: str) -> None:
        """Refuse an array that unpacks to much more than is stored, before it is read.

        Deflate makes nothing smaller than a thousandth; others know no such bound.
        """
        archive: zipfile.ZipFile = self.arrays.zip
        member = archive.getinfo(key if key in archive.NameToInfo else f"{key}.npy")
        what = f"{self.path}: the array {key!r}"
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{what} must be stored or deflated, as numpy.savez_compressed does")
        with archive.open(member) as file:
            read_header = HEADERS.get(np.lib.format.read_magic(file))
            if read_header is None:
                raise DataError(f"{what} must be of version 1.0 or 2.0 of NumPy's format")
            shape, _, dtype = read_header(file)
            declared = file.tell() + math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and declared != member.file_size:
            raise DataError(f"{what} must have the {declared} bytes of its header, got {member.file_size}")
        require_memory(what, member.file_size)


def _read(archive: _Archive, images_key: str, labels_key: str, section: NpzSection) -> Examples:
    origin = str(archive.path)
    images = as_images(archive.array(images_key), section.layout, origin)
    return labelled(origin, images, as_labels(archive.array(labels_key), len(images), origin))
