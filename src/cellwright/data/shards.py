"""The shards of a split, safetensors files."""

from collections.abc import Collection
from math import prod
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cellwright.data.joined import Joined
from cellwright.data.manifest import DataManifest, SplitName
from cellwright.data.mapped import MappedTensor
from cellwright.data.split import LoadedSplit, Split
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.tensor_files import TENSORS, check_tensors, joined_digest, write_tensors

INPUTS, TARGETS = "inputs", "targets"
"""Names of a shard's tensors: `inputs/NAME` and `targets`."""
SHARD_BYTES = 128 << 20
"""Maximum size of the inputs in a shard, if there are several."""

_checked: set[tuple[Path, int, int, int]] = set()
"""Shards whose digest this process has checked."""


def shard_size(parts: Collection[Part]) -> int | None:
    """Return the maximum number of examples in a shard; None if each split gets a single one.

    Splits whose inputs are in memory do.
    """
    inputs = [tuple(part.examples.inputs.values()) for part in parts]
    if not any(isinstance(array, Joined) for arrays in inputs for array in arrays):
        return None
    size = max(1, SHARD_BYTES // sum(prod(array.shape[1:]) * array.dtype.itemsize for array in inputs[0]))
    return size if max(map(len, parts)) > size else None


def write_split(folder: Path, name: SplitName, part: Part, size: int | None) -> str:
    """Write the shards of a split, and return the SHA-256 of its content, which is that of a single shard.

    Args:
        folder: of the prepared data.
        name: of the split.
        part: the split.
        size: maximum number of examples in a shard; None for a single shard.
    """
    paths = shard_paths(folder, name, len(part), size)
    for number, path in enumerate(paths):
        rows = slice(None) if size is None else slice(number * size, (number + 1) * size)
        arrays = {f"{INPUTS}/{key}": x[part.indices[rows]] for key, x in part.examples.inputs.items()}
        arrays[TARGETS] = part.targets[rows]
        tensors = {key: torch.from_numpy(np.ascontiguousarray(x)) for key, x in arrays.items()}
        content = write_tensors(path, tensors)
    if len(paths) == 1:
        return content
    forms = {key: (str(x.dtype), [len(part), *x.shape[1:]]) for key, x in tensors.items()}
    return joined_digest(forms, lambda key: (_mapped(path, key) for path in paths))


def read_split(folder: Path, name: SplitName, manifest: DataManifest) -> Split:
    """Memory-map the inputs and targets of a split.

    Raises:
        DataError: a shard is missing, truncated or damaged, or differs from the manifest. The digest is checked when
            a process first opens the shard.
    """
    size = manifest.split_sizes[name]
    paths = shard_paths(folder, name, size, manifest.shard_size)
    most = manifest.shard_size or size
    shards = [
        _read_shard(path, min(most, size - number * most), manifest) for number, path in enumerate(paths)
    ]
    if len(shards) == 1:
        return shards[0]
    inputs = [MappedTensor.of(parts) for parts in zip(*(shard.inputs for shard in shards), strict=True)]
    return Split(tuple(inputs), torch.cat([shard.targets for shard in shards]))


def shard_paths(folder: Path, name: SplitName, num_examples: int, size: int | None) -> list[Path]:
    """Return the files of a split's shards."""
    count = 1 if size is None else -(-num_examples // size)
    names = [name] if count == 1 else [f"{name}-{number:05}" for number in range(count)]
    return [folder / f"{stem}{TENSORS}" for stem in names]


def _mapped(path: Path, key: str) -> Tensor:
    with safe_open(path, framework="pt") as shard:
        tensor: Tensor = shard.get_tensor(key)
    return tensor


def _read_shard(path: Path, size: int, manifest: DataManifest) -> LoadedSplit:
    """Memory-map a shard of so many examples."""
    try:
        with safe_open(path, framework="pt") as shard:
            inputs = tuple(shard.get_tensor(f"{INPUTS}/{key}") for key in manifest.inputs)
            targets: Tensor = shard.get_tensor(TARGETS)
            status = path.stat()
            version = (path.resolve(), status.st_ino, status.st_size, status.st_mtime_ns)
            if version not in _checked:
                tensors = {f"{INPUTS}/{key}": x for key, x in zip(manifest.inputs, inputs, strict=True)}
                check_tensors({**tensors, TARGETS: targets}, shard.metadata())
                _checked.add(version)
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{path}: the shard of prepared data cannot be read: {error}") from error
    forms = [*manifest.inputs.values(), manifest.targets]
    expected = [((size, *form.shape), form.dtype) for form in forms]
    found = [(tuple(tensor.shape), str(tensor.dtype).partition(".")[2]) for tensor in (*inputs, targets)]
    if found != expected:
        raise DataError(
            f"{path}: must hold inputs and targets of {expected}, as its manifest says, got {found}"
        )
    return LoadedSplit(inputs, targets)
