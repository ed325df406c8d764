"""Tensors that are larger than one shard, and may be larger than memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cellwright.data.joined import Joined, joined

SHARE = 0.5
"""Share of a GPU's free memory that a split may take; a larger one stays on disk."""


@dataclass(frozen=True, eq=False)
class MappedTensor:
    """A tensor (N, …) in the shards of a split. What is selected is read into memory, as a tensor."""

    stored: Joined
    rows: NDArray[np.int64] | None = None
    """The rows of what is stored that this tensor has, in their order; None for all."""

    @classmethod
    def of(cls, parts: Sequence[Tensor]) -> "MappedTensor":
        """Return tensors that are mapped into memory as one."""
        arrays = [part.numpy() for part in parts]
        opened = [partial(np.asarray, array) for array in arrays]
        return cls(Joined(opened, [len(x) for x in arrays], arrays[0].shape[1:], arrays[0].dtype))

    def __len__(self) -> int:
        return len(self.stored if self.rows is None else self.rows)

    @property
    def nbytes(self) -> int:
        """Return the size in memory."""
        return len(self) * prod(self.stored.form) * self.stored.dtype.itemsize

    def __getitem__(self, rows: int | slice | Sequence[int] | Tensor) -> Tensor:
        if isinstance(rows, int):
            return self[[rows]][0]
        if isinstance(rows, slice):
            rows = range(*rows.indices(len(self)))
        chosen = torch.as_tensor(rows, dtype=torch.int64).numpy(force=True)
        return torch.from_numpy(self.stored[chosen if self.rows is None else self.rows[chosen]])

    def only(self, rows: Tensor) -> "MappedTensor":
        """Return the rows, which are not read yet."""
        chosen = rows.numpy(force=True)
        return replace(self, rows=chosen if self.rows is None else self.rows[chosen])

    def followed_by(self, other: "MappedTensor") -> "MappedTensor":
        """Return the rows of both, which must be complete."""
        both = joined(self.stored, other.stored)
        assert isinstance(both, Joined) and self.rows is None and other.rows is None
        return MappedTensor(both)


def fits(num_bytes: int, device: torch.device) -> bool:
    """Return whether a split of so many bytes is copied to the device. On the CPU, the system keeps what fits."""
    return device.type == "cuda" and num_bytes <= SHARE * torch.cuda.mem_get_info(device)[0]
