"""Divides examples into three disjoint splits, reproducibly for the same strata and seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from cellwright.data.examples import Array, Examples, Source
from cellwright.data.manifest import SplitName
from cellwright.errors import DataError
from cellwright.spec import DataSection

Indices = NDArray[np.int64]
Strata = NDArray[np.int64]
"""The stratum of each example; each stratum is divided among the splits."""

Holdout = tuple[Indices, Indices]
"""The held-out and the remaining indices, each sorted."""

BLOCK = 64
TRIES = 32
"""Number of random divisions into groups to try; the one that balances the strata best is taken."""


@dataclass(frozen=True, eq=False)
class Part:
    """The examples of one split, without a copy."""

    examples: Examples
    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def files(self) -> list[str]:
        """Return the name of each example's file, or nothing if they are not files of their own."""
        return [self.examples.files[index] for index in self.indices] if self.examples.files else []

    @property
    def targets(self) -> Array:
        """Return the targets."""
        return self.examples.targets[self.indices]

    def blocks(self, name: str) -> Iterator[Array]:
        """Yield the input with this name in blocks of examples."""
        for start in range(0, len(self.indices), BLOCK):
            yield self.examples.inputs[name][self.indices[start : start + BLOCK]]

    def without(self, dropped: NDArray[np.bool_]) -> "Part":
        """Return the part without the marked examples."""
        return Part(self.examples, self.indices[~dropped])


def split(source: Source, section: DataSection, strata: Strata) -> dict[SplitName, Part]:
    """Divide the examples: as the source says, by groups, by time, or stratified at random.

    The test split depends on neither `limit` nor `validation_fraction`.

    Raises:
        DataError: there are too few groups or times, or a split that the source names has no examples.
    """
    rng = np.random.default_rng(section.split_seed)
    examples = source.examples
    pool: Indices = np.arange(len(examples))

    def held_out(pool: Indices, fraction: float, keep: int) -> Holdout:
        if source.groups is not None:
            return hold_out_groups(source.groups[pool], strata[pool], fraction, keep, rng)
        if source.times is not None:
            return hold_out_latest(source.times[pool], fraction)
        return hold_out(strata[pool], fraction, keep, rng)

    if source.assigned is not None:
        return _assigned(source, section)
    if source.test:
        test = Part(source.test, np.arange(len(source.test)))
    else:
        held, pool = held_out(pool, section.test_fraction, 2)
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
    validation, train = held_out(pool, section.validation_fraction, 1)
    return {
        "train": Part(examples, pool[train]),
        "validation": Part(examples, pool[validation]),
        "test": test,
    }


def _assigned(source: Source, section: DataSection) -> dict[SplitName, Part]:
    """Return the splits that the source assigns; the source's own test set, if there is one, is the test split."""
    names = get_args(SplitName)
    assert source.assigned is not None
    parts = {name: Part(source.examples, np.flatnonzero(source.assigned == name)) for name in names}
    if source.test:
        parts["test"] = Part(source.test, np.arange(len(source.test)))
    for name, part in parts.items():
        if not len(part):
            raise DataError(f"{source.examples.origin}: every split must have examples, but {name} has none")
    if section.limit is not None:
        raise DataError(f"data.limit must be left out where the data says its splits, got {section.limit}")
    return parts


def hold_out_groups(
    groups: Array, strata: Strata, fraction: float, keep: int, rng: np.random.Generator
) -> Holdout:
    """Hold out whole groups with about `fraction` of the examples, balancing the strata as well as possible.

    Raises:
        DataError: fewer than `keep` groups would remain after holding one out.
    """
    names, numbers = np.unique(groups, return_inverse=True)
    if len(names) < keep + 1:
        raise DataError(f"there must be at least {keep + 1} groups to divide, got {len(names)}")
    sizes, wanted = np.bincount(numbers), fraction * np.bincount(strata)
    best, least = np.zeros(len(groups), bool), np.inf
    for _ in range(TRIES):
        order = rng.permutation(len(names))
        count = 1 + np.searchsorted(np.cumsum(sizes[order])[: len(names) - keep], fraction * len(groups))
        held = np.isin(numbers, order[: min(count, len(names) - keep)])
        distance = np.abs(np.bincount(strata[held], minlength=len(wanted)) - wanted).sum()
        if distance < least:
            best, least = held, distance
    return np.flatnonzero(best), np.flatnonzero(~best)


def hold_out_latest(times: Array, fraction: float) -> Holdout:
    """Hold out about `fraction` of the examples, the latest ones; examples of the same time are not separated.

    Raises:
        DataError: all examples have the same time.
    """
    moments, numbers = np.unique(times, return_inverse=True)
    if len(moments) < 2:
        raise DataError(f"there must be examples of different times to divide them, got only {moments[0]}")
    earlier = np.cumsum(np.bincount(numbers)) / len(times)
    first = int(np.clip(np.abs(earlier - (1 - fraction)).argmin() + 1, 1, len(moments) - 1))
    return np.flatnonzero(numbers >= first), np.flatnonzero(numbers < first)


def hold_out(strata: Strata, fraction: float, keep: int, rng: np.random.Generator) -> Holdout:
    """Return the held-out and the remaining indices, each sorted.

    The fraction of each stratum is held out, rounded by largest remainder so that the total is exact. At least one
    example of each stratum is held out, and at least `keep` remain.
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
    """Return the sorted indices of at most `limit` examples, drawn evenly from the strata as far as they go."""
    rank = np.empty(len(strata), int)
    for number in np.unique(strata):
        members = np.flatnonzero(strata == number)
        rank[rng.permutation(members)] = np.arange(len(members))
    return np.sort(np.lexsort((strata, rank))[:limit])
