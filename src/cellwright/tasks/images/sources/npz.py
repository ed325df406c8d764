"""NumPy archives."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright.data.examples import Examples, Source, as_images, as_labels, numbered_classes
from cellwright.data.opening import open_file
from cellwright.errors import DataError
from cellwright.spec import NpzData


def read_npz(section: NpzData) -> Source:
    """Read the archive, and the test archive if there is one; nothing in them is unpickled."""
    examples = _read_archive(Path(section.path), section)
    return Source(
        class_names=numbered_classes(examples.labels, examples.origin),
        examples=examples,
        test=_read_archive(Path(section.test_path), section) if section.test_path else None,
    )


def _read_archive(path: Path, section: NpzData) -> Examples:
    with open_file(path) as file:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path}: is no .npz archive, or is truncated")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                images = as_images(_array(archive, section.images_key, path), section.layout, str(path))
                labels = as_labels(_array(archive, section.labels_key, path), len(images), str(path))
        except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
    return Examples(origin=str(path), images=images, labels=labels)


def _array(archive: Any, key: str, path: Path) -> NDArray[Any]:
    if key not in archive.files:
        raise DataError(f"{path}: has no array {key!r}, but {', '.join(map(repr, archive.files)) or 'none'}")
    array: NDArray[Any] = archive[key]
    return array
