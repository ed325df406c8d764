"""Arrays that are too large for memory, in several files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Joined:
    """Arrays (N, …) of one form, in the order of their rows, as one array. What is selected is read into memory."""

    parts: Sequence[Callable[[], Array]]
    """Each opens one array, usually by mapping a file into memory."""
    lengths: Sequence[int]
    """Number of rows of each part."""
    form: tuple[int, ...]
    """Shape of one row."""
    dtype: np.dtype[Any]
    """Of all parts."""

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the whole array."""
        return (len(self), *self.form)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.lengths)

    def __iter__(self) -> Iterator[Array]:
        for part in self.parts:
            yield from part()

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Array:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        numbers = np.searchsorted(self._ends, rows, side="right")
        found = np.empty((len(rows), *self.form), self.dtype)
        for number in np.unique(numbers):
            chosen = numbers == number
            start = self._ends[number] - self.lengths[number]
            found[chosen] = self.parts[number]()[rows[chosen] - start]
        return found


def joined(*arrays: Array | Joined) -> Array | Joined:
    """Return arrays of one form as one, without reading those that are not in memory."""
    held = [array for array in arrays if not isinstance(array, Joined)]
    if len(held) == len(arrays):
        return np.concatenate(held)
    parts: list[Callable[[], Array]] = []
    lengths: list[int] = []
    for array in arrays:
        parts += array.parts if isinstance(array, Joined) else [partial(np.asarray, array)]
        lengths += array.lengths if isinstance(array, Joined) else [len(array)]
    return Joined(parts, lengths, arrays[0].shape[1:], arrays[0].dtype)
