"""The shard of a split, a safetensors file."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cellwright.data.manifest import DataManifest, SplitName
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.tensor_files import check_tensors, write_tensors

INPUTS, TARGETS = "inputs", "targets"
"""Names of a shard's tensors: `inputs/NAME` and `targets`."""


_checked: set[tuple[Path, int, int, int]] = set()
"""Shards whose digest this process has checked."""


def write_shard(folder: Path, name: SplitName, part: Part) -> str:
    """Write the shard of a split, and return the SHA-256 of its content."""
    arrays = {f"{INPUTS}/{key}": array[part.indices] for key, array in part.examples.inputs.items()}
    tensors = {
        key: torch.from_numpy(np.ascontiguousarray(x)) for key, x in {**arrays, TARGETS: part.targets}.items()
    }
    return write_tensors(_path(folder, name), tensors)


def read_shard(folder: Path, name: SplitName, manifest: DataManifest) -> tuple[Inputs, Tensor]:
    """Memory-map the inputs and targets of a split.

    Raises:
        DataError: the shard is missing, truncated or damaged, or differs from the manifest. The digest is checked when
            a process first opens the shard.
    """
    path = _path(folder, name)
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
    size = manifest.split_sizes[name]
    forms = [*manifest.inputs.values(), manifest.targets]
    expected = [((size, *form.shape), form.dtype) for form in forms]
    found = [(tuple(tensor.shape), str(tensor.dtype).partition(".")[2]) for tensor in (*inputs, targets)]
    if found != expected:
        raise DataError(
            f"{path}: must hold inputs and targets of {expected}, as its manifest says, got {found}"
        )
    return inputs, targets


def _path(folder: Path, name: SplitName) -> Path:
    return folder / f"{name}.safetensors"
