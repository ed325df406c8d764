"""Three disjoint splits, the same for the same strata and seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright.data.examples import Array, Examples, Source
from cellwright.data.manifest import SplitName
from cellwright.errors import DataError
from cellwright.spec import DataSection

Indices = NDArray[np.int64]
Strata = NDArray[np.int64]
"""A number for each example; of each number every split gets its share."""

BLOCK = 64


@dataclass(frozen=True, eq=False)
class Part:
    """The examples of one split, not copied."""

    examples: Examples
    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def targets(self) -> Array:
        """Return the target of each example."""
        return self.examples.targets[self.indices]

    def blocks(self, name: str) -> Iterator[Array]:
        """Yield the input of that name, a few examples at a time."""
        for start in range(0, len(self.indices), BLOCK):
            yield self.examples.inputs[name][self.indices[start : start + BLOCK]]

    def without(self, dropped: NDArray[np.bool_]) -> "Part":
        """Return the part without the examples that the mask marks."""
        return Part(self.examples, self.indices[~dropped])


def split(source: Source, section: DataSection, strata: Strata) -> dict[SplitName, Part]:
    """Divide the examples, with at least one of each stratum in each split.

    The test split depends on neither `limit` nor `validation_fraction`.
    """
    rng = np.random.default_rng(section.split_seed)
    examples = source.examples
    pool: Indices = np.arange(len(examples))
    if source.test:
        test = Part(source.test, np.arange(len(source.test)))
    else:
        held, pool = hold_out(strata, section.test_fraction, 2, rng)
        test = Part(examples, held)
    if section.limit is not None:
        num_strata = len(np.unique(strata))
        least = 2 * num_strata
        if section.limit < least:
            raise DataError(
                f"data.limit must be at least {least}, two examples for each of {num_strata} "
                f"groups of targets, got {section.limit}"
            )
        pool = pool[draw_evenly(strata[pool], section.limit, rng)]
    validation, train = hold_out(strata[pool], section.validation_fraction, 1, rng)
    return {
        "train": Part(examples, pool[train]),
        "validation": Part(examples, pool[validation]),
        "test": test,
    }


def hold_out(strata: Strata, fraction: float, keep: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Return the indices to hold out and those of the rest, each sorted.

    Of each stratum the fraction is held out, rounded by largest remainder so that the total is right, but
    at least one example, and at least `keep` stay.
    """
    numbers, counts = np.unique(strata, return_counts=True)
    quotas = counts * fraction
    shares = np.floor(quotas).astype(int)
    missing = round(quotas.sum()) - shares.sum()
    shares[np.argsort(shares - quotas, kind="stable")[:missing]] += 1
    shares = np.clip(shares, 1, counts - keep)
    held = np.zeros(len(strata), bool)
    for number, share in zip(numbers, shares, strict=True):
        held[rng.permutation(np.flatnonzero(strata == number))[:share]] = True
    return np.flatnonzero(held), np.flatnonzero(~held)


def draw_evenly(strata: Strata, limit: int, rng: np.random.Generator) -> Indices:
    """Return the sorted indices of at most `limit` examples, as many of each stratum as there are."""
    rank = np.empty(len(strata), int)
    for number in np.unique(strata):
        members = np.flatnonzero(strata == number)
        rank[rng.permutation(members)] = np.arange(len(members))
    return np.sort(np.lexsort((strata, rank))[:limit])
