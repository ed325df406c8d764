"""Reads examples from array files, for all tasks."""

import csv
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
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
        file: an archive with one array per input, by name (for a single input, the only one that fits); or an array.
        infos: the inputs of the model.

    Raises:
        DataError: the file cannot be read, or an array does not fit the model.
    """
    yield from fitted_examples(file, _read(file), infos)


def fitted_examples(
    file: Path, arrays: Mapping[str, Array], infos: Sequence[InputInfo]
) -> Iterator[tuple[str, Inputs]]:
    """Yield the examples of a file's arrays, by name, with their names.

    Raises:
        DataError: an array does not fit the model.
    """
    found = [_fitted(_chosen(file, arrays, info, len(infos)), info, f"{file}: {info.name}") for info in infos]
    counts = {len(array) for array in found}
    if len(counts) > 1:
        raise DataError(f"{file}: all inputs must have as many examples, got {sorted(counts)}")
    for index, rows in enumerate(zip(*found, strict=True)):
        yield f"{file}[{index}]", tuple(torch.from_numpy(np.ascontiguousarray(row)[None]) for row in rows)


def _chosen(file: Path, arrays: Mapping[str, Array], info: InputInfo, num_inputs: int) -> Array:
    """Return the array of an input: the one with its name, or for a single input the only one with its shape."""
    if info.name in arrays:
        return arrays[info.name]
    if num_inputs == 1:
        named = dict(arrays) if len(arrays) == 1 else {}
        fitting = named or {name: x for name, x in arrays.items() if _reshaped(x, info.shape) is not None}
        if len(fitting) == 1:
            return next(iter(fitting.values()))
        if fitting:
            raise DataError(
                f"{file}: must hold one array of the model's shape, or one that is called {info.name!r}, and holds "
                f"{', '.join(map(repr, fitting))}"
            )
    raise DataError(
        f"{file}: must hold an array {info.name!r}, and holds {', '.join(map(repr, arrays)) or 'none'}"
    )


def listed_examples(file: Path, decode: Callable[[Path], Inputs]) -> Iterator[tuple[str, Inputs | str]]:
    """Yield the examples in the files that a .csv file lists; for one that cannot be decoded, the reason.

    Args:
        file: as for `_listed_files`, which raises.
        decode: returns the example in a file; raises DataError with the file's name.
    """
    for listed in _listed_files(file):
        try:
            yield str(listed), decode(listed)
        except DataError as error:
            yield str(listed), str(error).removeprefix(f"{listed}: ")


def _listed_files(file: Path) -> Iterator[Path]:
    """Yield the files in the first column of a .csv file; their paths are absolute, or relative to its folder.

    The first line is skipped if it names no file and the second one does, since it then names the columns.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            names = [row[0].strip() for row in csv.reader(lines) if row and row[0].strip()]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    listed = [file.parent / name for name in names]
    has_header = len(listed) > 1 and not listed[0].exists() and listed[1].exists()
    yield from listed[has_header:]


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
    """Return examples (N, …) in the model's shape and type. Floats of all sizes are converted, as in training."""
    reshaped = _reshaped(array, info.shape)
    if reshaped is None:
        wanted, got = ("×".join(map(str, sides)) for sides in (info.shape, array.shape))
        raise DataError(f"{what}: each example must be {wanted}, got an array of {got}")
    if info.dtype == "float32" and array.dtype.kind == "f":
        return reshaped.astype(np.float32, copy=False)
    if array.dtype != info.dtype:
        raise DataError(f"{what}: must be {info.dtype}, as in training, got {array.dtype}")
    return reshaped


def _reshaped(array: Array, shape: Sequence[int]) -> Array | None:
    """Return examples (N, …) of the shape, or None. One example needs no N; an array may omit a single channel.

    Images may have channels last.
    """
    shape = tuple(shape)
    if array.shape == shape:
        return array[np.newaxis]
    if len(shape) == 3 and array.shape[1:] == (*shape[1:], shape[0]):
        return array.transpose(0, 3, 1, 2)
    if len(shape) > 1 and shape[0] == 1 and array.shape[1:] == shape[1:]:
        return array[:, np.newaxis]
    return array if array.shape[1:] == shape else None
