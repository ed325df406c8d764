"""Splits as tensors, and their batches for training and evaluation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Inputs = tuple[Tensor, ...]
"""Inputs of a batch or split, each (N, …), in the manifest's order."""
Batch = tuple[Inputs, Tensor]
"""Inputs (B, …) and targets (B, …)."""


@dataclass(frozen=True, eq=False)
class Split:
    """The raw inputs and targets of a split, on one device."""

    inputs: Inputs
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: slice | Tensor) -> "Split":
        """Return the selected examples."""
        return Split(tuple(array[rows] for array in self.inputs), self.targets[rows])

    def to(self, device: torch.device | str) -> "Split":
        """Return the split on the device; bytes remain bytes until they are batched."""
        return Split(tuple(array.to(device) for array in self.inputs), self.targets.to(device))

    def sample(self, count: int, *, seed: int) -> "Split":
        """Return `count` examples drawn without replacement, or the split itself if it has no more."""
        if count >= len(self):
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self[order[:count].to(self.targets.device)]

    def batches(self, batch_size: int, *, seed: int, epoch: int, drop_last: bool = True) -> Iterator[Batch]:
        """Yield batches in an order that depends on seed and epoch.

        Bytes of maps are converted to float32 and channels last; other bytes, such as those of texts, stay. A split
        smaller than a batch is one batch, even with `drop_last`.
        """
        state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]))
        order = torch.randperm(len(self), generator=generator).to(self.targets.device)
        batch_size = min(batch_size, len(self))
        if drop_last:
            order = order[: len(self) - len(self) % batch_size]
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            inputs = tuple(_for_network(array.index_select(0, chosen)) for array in self.inputs)
            yield inputs, self.targets[chosen]

    def ordered_batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield all examples in order, as batches of the same form as `batches`."""
        for start in range(0, len(self), batch_size):
            part = self[start : start + batch_size]
            yield tuple(map(_for_network, part.inputs)), part.targets


def _for_network(array: Tensor) -> Tensor:
    is_map = array.ndim == 4 and array.dtype == torch.uint8
    if not array.is_floating_point() and not is_map:
        return array
    if array.ndim == 4:
        return array.to(torch.float32, memory_format=torch.channels_last)
    return array.float()
