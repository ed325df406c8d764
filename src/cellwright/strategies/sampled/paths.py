"""Summarises all paths through a cell without listing them, since there may be exponentially many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ending = tuple[str, ...]

ENDING = 3
"""Number of last operations that distinguish paths."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths from a cell's inputs to one of its feature maps.

    Columns are the kinds of operations, and last, their sum.
    """

    number: float
    total: Array
    """Total number of operations of each kind, over all paths."""
    most: Array
    least: Array
    endings: Mapping[Ending, float]
    """Number of paths that end with these operations."""

    @staticmethod
    def none(num_columns: int) -> "Paths":
        """Return the empty set of paths."""
        zeros = np.zeros(num_columns)
        return Paths(0.0, zeros, zeros, zeros, {})

    @staticmethod
    def empty(num_columns: int, ending: Ending) -> "Paths":
        """Return a single path without operations, which starts at an input."""
        zeros = np.zeros(num_columns)
        return Paths(1.0, zeros, zeros, zeros, {ending: 1.0})

    def through(self, primitive: str, column: int) -> "Paths":
        """Return the paths, each extended by one operation."""
        step = np.zeros(len(self.total))
        step[[column, -1]] = 1.0
        endings: dict[Ending, float] = {}
        for ending, count in self.endings.items():
            longer = (*ending, primitive)[-ENDING:]
            endings[longer] = endings.get(longer, 0.0) + count
        return Paths(
            self.number, self.total + self.number * step, self.most + step, self.least + step, endings
        )


def union(several: Sequence[Paths], num_columns: int) -> Paths:
    """Return the paths to the sum or concatenation of several feature maps."""
    several = [paths for paths in several if paths.number]
    if not several:
        return Paths.none(num_columns)
    endings: dict[Ending, float] = {}
    for paths in several:
        for ending, count in paths.endings.items():
            endings[ending] = endings.get(ending, 0.0) + count
    return Paths(
        sum(paths.number for paths in several),
        np.sum([paths.total for paths in several], axis=0),
        np.max([paths.most for paths in several], axis=0),
        np.min([paths.least for paths in several], axis=0),
        endings,
    )
