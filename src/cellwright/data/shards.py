"""The safetensors file of a split."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from cellwright.data.manifest import DataManifest, SplitName
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.files import atomic_path


def write_shard(folder: Path, name: SplitName, part: Part) -> str:
    """Write the shard of a split and return the SHA-256 of what it holds."""
    images = np.ascontiguousarray(part.examples.images[part.indices])
    labels = np.ascontiguousarray(part.labels)
    with atomic_path(_path(folder, name)) as temporary:
        save_file({"images": images, "labels": labels}, temporary)
    content = hashlib.sha256(f"{images.dtype} {images.shape}".encode())
    content.update(images.data)
    content.update(labels.data)
    return content.hexdigest()


def read_shard(folder: Path, name: SplitName, manifest: DataManifest) -> tuple[Tensor, Tensor]:
    """Map the images and labels of a split into memory.

    Raises:
        DataError: the shard is missing or truncated, or is not what the manifest says.
    """
    path = _path(folder, name)
    try:
        with safe_open(path, framework="pt") as shard:
            images: Tensor = shard.get_tensor("images")
            labels: Tensor = shard.get_tensor("labels")
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: the shard of prepared data cannot be read: {error}") from error
    size = manifest.split_sizes[name]
    expected = ((size, *manifest.image_shape), getattr(torch, manifest.dtype), (size,), torch.int64)
    found = (tuple(images.shape), images.dtype, tuple(labels.shape), labels.dtype)
    if found != expected:
        raise DataError(
            f"{path}: must hold images and labels of {expected}, as its manifest says, got {found}"
        )
    return images, labels


def _path(folder: Path, name: SplitName) -> Path:
    return folder / f"{name}.safetensors"
