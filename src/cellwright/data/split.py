"""Splits as tensors, and their batches for training and evaluation."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cellwright.data.mapped import MappedTensor, fits
from cellwright.tensor_files import joined_digest

Inputs = tuple[Tensor, ...]
"""Inputs of a batch or split, each (N, …), in the manifest's order."""
Batch = tuple[Inputs, Tensor]
"""Inputs (B, …) and targets (B, …)."""


BLOCK = 256
"""Number of examples that a digest reads at a time."""
MOST_IN_MEMORY = 128 << 20
"""Bytes of a sample that is read into memory."""
THREADS, AHEAD = 4, 8
"""How many threads read batches from disk, and how many batches ahead."""


@dataclass(frozen=True, eq=False)
class Split:
    """The raw inputs and targets of a split, on one device. Inputs that do not fit there stay on disk."""

    inputs: tuple[Tensor | MappedTensor, ...]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: slice | Tensor) -> "LoadedSplit":
        """Return the selected examples, on the device."""
        inputs = (array[rows].to(self.targets.device) for array in self.inputs)
        return LoadedSplit(tuple(inputs), self.targets[rows])

    @property
    def _bytes_on_disk(self) -> int:
        return sum(array.nbytes for array in self.inputs if isinstance(array, MappedTensor))

    def to(self, device: torch.device | str) -> "Split":
        """Return the split on the device; bytes remain bytes until they are batched.

        Of inputs on disk that do not fit, each batch is moved to the device.
        """
        targets = self.targets.to(device)
        if self._bytes_on_disk and not fits(self._bytes_on_disk, targets.device):
            return Split(self.inputs, targets)
        loaded = (array[:] if isinstance(array, MappedTensor) else array for array in self.inputs)
        return Split(tuple(array.to(device) for array in loaded), targets)

    def sample(self, count: int, *, seed: int) -> "Split":
        """Return `count` examples drawn without replacement, or the split itself if it has no more.

        Few examples of a split on disk are read into memory.
        """
        if count >= len(self):
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        rows = order[:count].to(self.targets.device)
        inputs = (x.only(rows) if isinstance(x, MappedTensor) else x[rows] for x in self.inputs)
        drawn = Split(tuple(inputs), self.targets[rows])
        return drawn if drawn._bytes_on_disk > MOST_IN_MEMORY else drawn[:]

    def followed_by(self, other: "Split") -> "Split":
        """Return the examples of both; those in memory are copied."""
        inputs: list[Tensor | MappedTensor] = []
        for ours, theirs in zip(self.inputs, other.inputs, strict=True):
            if isinstance(ours, MappedTensor) or isinstance(theirs, MappedTensor):
                inputs.append(_mapped(ours).followed_by(_mapped(theirs)))
            else:
                inputs.append(torch.cat([ours, theirs]))
        return Split(tuple(inputs), torch.cat([self.targets, other.targets]))

    def digest(self) -> str:
        """Return the SHA-256 of the inputs and targets."""
        tensors = {"targets": self.targets, **{f"input {i}": x for i, x in enumerate(self.inputs)}}
        return joined_digest(
            {name: (str(x[:1].dtype), [len(x), *x[:1].shape[1:]]) for name, x in tensors.items()},
            lambda name: (tensors[name][start : start + BLOCK] for start in range(0, len(self), BLOCK)),
        )

    def batches(
        self, batch_size: int, *, seed: int, epoch: int, drop_last: bool = True, first: int = 0
    ) -> Iterator[Batch]:
        """Yield batches in an order that depends on seed and epoch.

        Bytes of maps are converted to float32 and channels last; other bytes, such as those of texts, stay. A split
        smaller than a batch is one batch, even with `drop_last`.

        Args:
            batch_size: number of examples in a batch.
            seed: of the order.
            epoch: of which the order is.
            drop_last: whether to omit a last batch that is smaller.
            first: number of batches to pass over.
        """
        state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]))
        order = torch.randperm(len(self), generator=generator)
        if not self._bytes_on_disk:
            order = order.to(self.targets.device)
        batch_size = min(batch_size, len(self))
        if drop_last:
            order = order[: len(self) - len(self) % batch_size]
        starts = range(first * batch_size, len(order), batch_size)
        return self._batches([order[start : start + batch_size] for start in starts])

    def ordered_batches(self, batch_size: int, rows: slice = slice(None)) -> Iterator[Batch]:
        """Yield examples in order, as batches of the same form as `batches`; by default all examples."""
        start, stop, _ = rows.indices(len(self))
        starts = range(start, stop, batch_size)
        return self._batches([slice(start, min(start + batch_size, stop)) for start in starts])

    def _batches(self, selections: Sequence[slice | Tensor]) -> Iterator[Batch]:
        read = _read_ahead(self._read, selections) if self._bytes_on_disk else map(self._read, selections)
        for rows, inputs in zip(selections, read, strict=True):
            yield tuple(_for_network(array.to(self.targets.device)) for array in inputs), self.targets[rows]

    def _read(self, rows: slice | Tensor) -> Inputs:
        return tuple(
            array.index_select(0, rows)
            if isinstance(array, Tensor) and isinstance(rows, Tensor)
            else array[rows]
            for array in self.inputs
        )


@dataclass(frozen=True, eq=False)
class LoadedSplit(Split):
    """A split whose inputs are on the device."""

    inputs: Inputs


def _read_ahead(
    read: Callable[[slice | Tensor], Inputs], selections: Sequence[slice | Tensor]
) -> Iterator[Inputs]:
    """Yield the inputs of each selection in order, which threads read ahead."""
    with ThreadPoolExecutor(THREADS, "cellwright-batches") as pool:
        coming: deque[Future[Inputs]] = deque()
        for rows in selections:
            coming.append(pool.submit(read, rows))
            if len(coming) > AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _mapped(array: Tensor | MappedTensor) -> MappedTensor:
    return array if isinstance(array, MappedTensor) else MappedTensor.of([array])


def _for_network(array: Tensor) -> Tensor:
    is_map = array.ndim == 4 and array.dtype == torch.uint8
    if not array.is_floating_point() and not is_map:
        return array
    if array.ndim == 4:
        return array.to(torch.float32, memory_format=torch.channels_last)
    return array.float()
