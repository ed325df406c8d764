"""Three disjoint splits, the same for the same labels and seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright.data.examples import Examples, Labels, Pixels, Source
from cellwright.data.manifest import SplitName
from cellwright.errors import DataError
from cellwright.spec import DataSection

Indices = NDArray[np.int64]

BLOCK = 64


@dataclass(frozen=True, eq=False)
class Part:
    """The examples of one split, not copied."""

    examples: Examples
    indices: Indices

    @property
    def labels(self) -> Labels:
        """Return the class of each example."""
        return self.examples.labels[self.indices]

    def blocks(self) -> Iterator[Pixels]:
        """Yield the images, a few at a time."""
        for start in range(0, len(self.indices), BLOCK):
            yield self.examples.images[self.indices[start : start + BLOCK]]

    def without(self, dropped: NDArray[np.bool_]) -> "Part":
        """Return the part without the examples that the mask marks."""
        return Part(self.examples, self.indices[~dropped])


def split(source: Source, section: DataSection) -> dict[SplitName, Part]:
    """Divide the examples, stratified by class, with at least one of each class in each split.

    The test split depends on neither `limit` nor `validation_fraction`.
    """
    rng = np.random.default_rng(section.split_seed)
    examples = source.examples
    pool: Indices = np.arange(len(examples.labels))
    if source.test:
        test = Part(source.test, np.arange(len(source.test.labels)))
    else:
        held, pool = hold_out(examples.labels, section.test_fraction, 2, rng)
        test = Part(examples, held)
    if section.limit is not None:
        least = 2 * len(source.class_names)
        if section.limit < least:
            raise DataError(
                f"data.limit must be at least {least}, two examples for each of {len(source.class_names)} "
                f"classes, got {section.limit}"
            )
        pool = pool[draw_evenly(examples.labels[pool], section.limit, rng)]
    validation, train = hold_out(examples.labels[pool], section.validation_fraction, 1, rng)
    return {
        "train": Part(examples, pool[train]),
        "validation": Part(examples, pool[validation]),
        "test": test,
    }


def hold_out(labels: Labels, fraction: float, keep: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Return the indices to hold out and those of the rest, each sorted.

    Of each class the fraction is held out, rounded by largest remainder so that the total is right, but
    at least one example, and at least `keep` stay.
    """
    classes, counts = np.unique(labels, return_counts=True)
    quotas = counts * fraction
    shares = np.floor(quotas).astype(int)
    missing = round(quotas.sum()) - shares.sum()
    shares[np.argsort(shares - quotas, kind="stable")[:missing]] += 1
    shares = np.clip(shares, 1, counts - keep)
    held = np.zeros(len(labels), bool)
    for label, share in zip(classes, shares, strict=True):
        held[rng.permutation(np.flatnonzero(labels == label))[:share]] = True
    return np.flatnonzero(held), np.flatnonzero(~held)


def draw_evenly(labels: Labels, limit: int, rng: np.random.Generator) -> Indices:
    """Return the sorted indices of at most `limit` examples, as many of each class as there are."""
    rank = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[rng.permutation(members)] = np.arange(len(members))
    return np.sort(np.lexsort((labels, rank))[:limit])
