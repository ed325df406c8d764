"""Examples as tensors, and the batches that training and evaluation take from them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Images (N, C, H, W) with raw pixels, uint8 or float32, and labels (N), int64, on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """Return the split on the device; bytes stay bytes there until they are batched."""
        return Split(self.images.to(device), self.labels.to(device))

    def sample(self, count: int, *, seed: int) -> "Split":
        """Return as many examples drawn without replacement, or the split if it has no more."""
        if count >= len(self):
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        chosen = order[:count].to(self.labels.device)
        return Split(self.images[chosen], self.labels[chosen])

    def batches(
        self, batch_size: int, *, seed: int, epoch: int, drop_last: bool = True
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images, float32 and channels last, and labels, in an order that seed and epoch determine.

        A split smaller than a batch is one batch, even where an incomplete last batch is dropped.
        """
        state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]))
        order = torch.randperm(len(self), generator=generator).to(self.labels.device)
        batch_size = min(batch_size, len(self))
        if drop_last:
            order = order[: len(self) - len(self) % batch_size]
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            yield _floats(self.images.index_select(0, chosen)), self.labels[chosen]

    def ordered_batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield everything in its order, in the form of `batches`."""
        for start in range(0, len(self), batch_size):
            chosen = slice(start, start + batch_size)
            yield _floats(self.images[chosen]), self.labels[chosen]


def _floats(images: Tensor) -> Tensor:
    return images.to(torch.float32, memory_format=torch.channels_last)
