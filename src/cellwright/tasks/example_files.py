"""Reads examples from array files, for all tasks."""

import csv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from cellwright.data.examples import Array
from cellwright.data.memory import require_memory
from cellwright.data.split import Inputs
from cellwright.errors import DataError
from cellwright.results import InputInfo

ARRAYS = (".npz", ".npy")


def array_examples(file: Path, infos: Sequence[InputInfo]) -> Iterator[tuple[str, Inputs]]:
    """Yield the examples of an .npz or .npy file with their names, `FILE[NUMBER]`.

    Args:
        file: an archive with one array per input, by name (for a single input, any name); or a single array.
        infos: the inputs of the model.

    Raises:
        DataError: the file cannot be read, or an array does not fit the model.
    """
    arrays = _read(file)
    found = []
    for info in infos:
        array = arrays.get(info.name, next(iter(arrays.values())) if len(infos) == len(arrays) == 1 else None)
        if array is None:
            raise DataError(
                f"{file}: must hold an array {info.name!r}, and holds {', '.join(map(repr, arrays)) or 'none'}"
            )
        found.append(_fitted(array, info, f"{file}: {info.name}"))
    counts = {len(array) for array in found}
    if len(counts) > 1:
        raise DataError(f"{file}: all inputs must have as many examples, got {sorted(counts)}")
    for index, rows in enumerate(zip(*found, strict=True)):
        yield f"{file}[{index}]", tuple(torch.from_numpy(np.ascontiguousarray(row)[None]) for row in rows)


def listed_files(file: Path) -> Iterator[Path]:
    """Yield the files in the first column of a .csv file; their paths are absolute, or relative to its folder.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.reader(lines):
                if row and row[0].strip():
                    yield file.parent / row[0].strip()
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _read(file: Path) -> dict[str, Array]:
    try:
        if file.suffix == ".npy":
            return {"": np.load(file, allow_pickle=False)}
        with zipfile.ZipFile(file) as archive:
            require_memory(str(file), sum(member.file_size for member in archive.infolist()))
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _fitted(array: Array, info: InputInfo, what: str) -> Array:
    """Return examples (N, …) in the model's shape. The array may have channels last, or omit a single channel."""
    shape = info.shape
    if array.shape == shape:
        array = array[np.newaxis]
    if len(shape) == 3:
        channels, height, width = shape
        has_no_channels = channels == 1 and array.shape[1:] == (height, width)
        if has_no_channels or array.shape[1:] == (height, width, channels):
            array = array.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    if array.shape[1:] != shape:
        wanted, got = ("×".join(map(str, sides)) for sides in (shape, array.shape))
        raise DataError(f"{what}: each example must be {wanted}, got an array of {got}")
    if array.dtype != info.dtype:
        raise DataError(f"{what}: must be {info.dtype}, as in training, got {array.dtype}")
    return array
