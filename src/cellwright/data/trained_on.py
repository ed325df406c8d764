"""Which examples a version was trained on, as hashes: its weights may only take part where it has not seen the rest."""

from hashlib import blake2b

import torch
from torch import Tensor

from cellwright.data.split import Split

BLOCK = 256
"""Number of examples that are read at a time."""


def example_hashes(*splits: Split) -> Tensor:
    """Return the sorted 64-bit hashes (N,) of the examples' inputs, each once; the same on every machine."""
    hashes: Tensor = torch.unique(torch.cat([hashes_in_order(split) for split in splits]))
    return hashes


def hashes_in_order(split: Split) -> Tensor:
    """Return the 64-bit hash (N,) of each example's inputs."""
    hashes = []
    for start in range(0, len(split), BLOCK):
        rows = zip(*(array.cpu().numpy() for array in split[start : start + BLOCK].inputs), strict=True)
        digests = (
            blake2b(b"".join(part.tobytes() for part in parts), digest_size=8).digest() for parts in rows
        )
        hashes += [int.from_bytes(one, "big", signed=True) for one in digests]
    return torch.tensor(hashes, dtype=torch.int64)
