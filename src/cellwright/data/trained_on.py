"""Which examples a version was trained on, as hashes: its weights may only take part where it has not seen the rest."""

from hashlib import blake2b

import torch
from torch import Tensor

from cellwright.data.split import Split


def example_hashes(*splits: Split) -> Tensor:
    """Return the sorted 64-bit hashes (N,) of the examples' inputs, each once; the same on every machine."""
    hashes: set[bytes] = set()
    for split in splits:
        for parts in zip(*(array.numpy() for array in split.inputs), strict=True):
            hashes.add(blake2b(b"".join(part.tobytes() for part in parts), digest_size=8).digest())
    numbers = [int.from_bytes(one, "big", signed=True) for one in hashes]
    return torch.tensor(numbers, dtype=torch.int64).sort().values
