"""NumPy archives of images."""

import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.data import Reader, Source
from cellwright.data.memory import require_memory
from cellwright.data.opening import open_data
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import CellwrightError, DataError
from cellwright.spec.location import Location
from cellwright.tasks.images.arrays import ArraySection, Pixels, as_images, labelled_sets
from cellwright.tasks.labels import Labels, read_labels

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Reader for the header of each version of NumPy's format; the third is for structured arrays."""
USUAL_KEYS = (
    ("images", "labels"),
    ("x_train", "y_train"),
    ("X_train", "y_train"),
    ("train_images", "train_labels"),
    ("images", "targets"),
    ("data", "labels"),
    ("data", "target"),
    ("x", "y"),
    ("X", "y"),
)
"""Common names of images and labels in archives: ours, Keras's, MedMNIST's, and others."""
NPY_MAGIC = b"\x93NUMPY"
REMEDY = "make one with numpy.savez('all.npz', images=..., labels=...)"


class NpzSection(ArraySection):
    """A NumPy archive with an array of images, N×H×W or N×H×W×C by default, and one of labels, N."""

    LOCATIONS = ("path", "validation_path", "test_path")
    TEST_KEYS = ("test_path", "test_images_key", "test_labels_key")

    reader = "cellwright.tasks.images.sources.npz:NpzReader"
    SUFFIXES = (".npz",)
    task = "images"

    source: Literal["npz"]
    path: Location
    """The archive."""
    test_path: Location | None = None
    """An archive with the user's own test set; it may be the same archive, with other arrays."""
    images_key: str | None = None
    """The array of images; by default `images`, or its name in archives of Keras, MedMNIST and others."""
    labels_key: str | None = None
    """The array of labels; by default, the one that corresponds to the images."""
    test_images_key: str | None = None
    """The test set's images, in `test_path` or else `path`. By default, the corresponding array, such as x_test for
    x_train, if it exists, otherwise `images_key`."""
    test_labels_key: str | None = None
    """Like `test_images_key`, for labels."""
    validation_path: Location | None = None
    """An archive with the user's own validation set; it may be the same archive, with other arrays. It needs a test
    set. `path` is then the training set, and no split is drawn from it."""
    validation_images_key: str | None = None
    """The validation set's images, in `validation_path` or else `path`. By default, the corresponding array, such as
    x_val for x_train, if it exists, otherwise `images_key`."""
    validation_labels_key: str | None = None
    """Like `validation_images_key`, for labels."""

    def own_set(self, part: Literal["validation", "test"]) -> tuple[Location | None, str | None, str | None]:
        """Return the archive of the user's own set, if there is one, and the keys of its images and labels."""
        path, images, labels = (
            getattr(self, f"{part}_{key}") for key in ("path", "images_key", "labels_key")
        )
        return path or (self.path if images or labels else None), images, labels


class NpzReader(Reader):
    """Reads arrays; never unpickles."""

    section: NpzSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Find the images and labels by their usual names; otherwise, the images are the largest array."""
        if path.suffix.casefold() != ".npz":
            return None
        with _opened(path) as archive:
            shapes = {key: archive.array(key).shape for key in archive.keys}
        usual = next((pair for pair in USUAL_KEYS if all(key in shapes for key in pair)), None)
        images_key, labels_key = usual or _largest(shapes, path)
        keys: dict[str, Any] = {"path": path}
        if usual is None:
            keys |= {"images_key": images_key, "labels_key": labels_key}
        count, *shape = shapes[images_key]
        remark = f"{count} images of {'×'.join(map(str, shape))} in {images_key!r}, labels in {labels_key!r}"
        return SpecSuggestion(keys=keys, remarks=(remark,), num_examples=count, shape=tuple(shape))

    def read(self, log: Callable[[str], None]) -> Source:
        """Read the examples, including validation and test sets if there are any."""
        section = self.section
        with _opened(Path(section.path)) as archive:
            keys = _keys(archive, section, log)
            has_test = section.images_key is None and _key_of(keys[0], "test", archive) != keys[0]
            sets = {"train": (*_read(archive, *keys, section, log), str(section.path))}
        for part in ("validation", "test"):
            location, *own_keys = section.own_set(part)
            if location is None and part == "test" and has_test:
                location = section.path
            if location is not None:
                sets[part] = (*_own_set(Path(location), part, keys, own_keys, section, log), str(location))
        return labelled_sets(sets, section.class_names)


def _own_set(
    path: Path,
    part: Literal["validation", "test"],
    keys: tuple[str, str],
    own_keys: Sequence[str | None],
    section: NpzSection,
    log: Callable[[str], None],
) -> tuple[Pixels, Labels]:
    """Read one of the user's own sets, by its own keys or those that correspond to the training set's."""
    with _opened(path) as archive:
        images_key, labels_key = (
            own or _key_of(key, part, archive) for own, key in zip(own_keys, keys, strict=True)
        )
        log(f"{path}: the {part} set is {images_key} and {labels_key}")
        return _read(archive, images_key, labels_key, section, log)


def _largest(shapes: Mapping[str, tuple[int, ...]], path: Path) -> tuple[str, str]:
    """Return the key of the largest array, and of the smallest array with as many examples."""
    images = max(shapes, key=lambda key: math.prod(shapes[key]), default="")
    others = [key for key, shape in shapes.items() if key != images and shape[:1] == shapes[images][:1]]
    if not others:
        named = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
        raise DataError(
            f"{path}: must hold an array of images and one of labels for as many, got {named or 'none'}"
        )
    return images, min(others, key=lambda key: math.prod(shapes[key]))


def _keys(archive: "_Archive", section: NpzSection, log: Callable[[str], None]) -> tuple[str, str]:
    """Return the keys of images and labels: those of the section, or the first usual ones in the archive."""
    for images, labels in USUAL_KEYS:
        pair = section.images_key or images, section.labels_key or labels
        if all(key in archive.keys for key in pair):
            if not (section.images_key and section.labels_key) and pair != USUAL_KEYS[0]:
                log(
                    f"{archive.path}: images are {pair[0]} and labels {pair[1]} (data.images_key, data.labels_key)"
                )
            return pair
    return section.images_key or USUAL_KEYS[0][0], section.labels_key or USUAL_KEYS[0][1]


def _key_of(key: str, part: Literal["validation", "test"], archive: "_Archive") -> str:
    """Return the key of a set's array: x_test for x_train if it exists, otherwise the same key."""
    for word in ("validation", "valid", "val") if part == "validation" else ("test",):
        for train, other in (("train", word), ("Train", word.title()), ("TRAIN", word.upper())):
            if train in key and (found := key.replace(train, other)) in archive.keys:
                return found
    return key


@contextmanager
def _opened(path: Path) -> Iterator["_Archive"]:
    with open_data(path, may_be_zip=True) as file:
        if file.read(len(NPY_MAGIC)) == NPY_MAGIC:
            raise DataError(
                f"{path}: is one .npy array, and must be an archive of images and labels: {REMEDY}"
            )
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path}: is not an .npz archive, or is truncated; from other formats, {REMEDY}")
        file.seek(0)
        with _explained(path), np.load(file, allow_pickle=False) as arrays:
            yield _Archive(path, arrays)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Add the file name to exceptions of NumPy, zipfile and decompressors, which raise almost anything."""
    try:
        yield
    except CellwrightError:
        raise
    except Exception as error:
        raise DataError(f"{path}: cannot be read: {str(error) or type(error).__name__}") from error


@dataclass(frozen=True)
class _Archive:
    path: Path
    arrays: Any

    @property
    def keys(self) -> list[str]:
        return list(self.arrays.files)

    def array(self, key: str) -> NDArray[Any]:
        if key not in self.keys:
            if any(name.endswith("/data.pkl") for name in self.keys):
                raise DataError(
                    f"{self.path}: must be a NumPy archive, and is a file of torch.save: save its arrays with "
                    "numpy.savez"
                )
            raise DataError(
                f"{self.path}: has no array {key!r}, but {', '.join(map(repr, self.keys)) or 'none'}: set "
                "data.images_key and data.labels_key"
            )
        self._check_size(key)
        array: NDArray[Any] = self.arrays[key]
        return array

    def _check_size(self, key: str) -> None:
        """Reject an array whose unpacked size exceeds its stored size by too much, before it is read.

        Deflate compresses at most by a factor of a thousand; other methods have no such limit.
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
        if dtype.hasobject:
            raise DataError(
                f"{what} holds Python objects, which are not read: images of different sizes need files and "
                "data.source images, and labels .astype(int) or .astype(str)"
            )
        if declared != member.file_size:
            raise DataError(f"{what} must have the {declared} bytes of its header, got {member.file_size}")
        require_memory(what, member.file_size)


def _read(
    archive: _Archive, images_key: str, labels_key: str, section: NpzSection, log: Callable[[str], None]
) -> tuple[Pixels, Labels]:
    origin = str(archive.path)
    images = as_images(archive.array(images_key), section.layout, origin)
    return images, read_labels(archive.array(labels_key), len(images), origin, log)
