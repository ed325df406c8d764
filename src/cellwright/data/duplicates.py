"""Finds duplicate examples."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from cellwright.data.examples import Examples
from cellwright.data.manifest import SplitName
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.spec import StoredData

Keys = NDArray[np.int64]

MOST_SHARED = 0.5
"""Maximum fraction of the test set that may also be in the training set."""

PAIRS: tuple[tuple[SplitName, SplitName], ...] = (
    ("train", "validation"),
    ("train", "test"),
    ("validation", "test"),
)
"""Pairs of splits; duplicates are dropped from the first of each pair."""


def example_keys(examples: Examples) -> Keys:
    """Return a 64-bit hash of each example's inputs, equal for equal examples, within this process."""
    rows = zip(*examples.inputs.values(), strict=True)
    return np.fromiter((hash(tuple(part.tobytes() for part in parts)) for parts in rows), np.int64)


def repeated(keys: Mapping[SplitName, Keys]) -> dict[tuple[SplitName, SplitName], NDArray[np.bool_]]:
    """For each pair of splits, mark the examples of the first that are also in the second."""
    return {(first, second): np.isin(keys[first], keys[second]) for first, second in PAIRS}


def num_contradictions(keys: Mapping[SplitName, Keys], parts: Mapping[SplitName, Part]) -> int:
    """Count the examples that have more than one target."""
    targets = np.concatenate([part.targets for part in parts.values()])
    _, numbers = np.unique(targets, axis=0, return_inverse=True)
    of_all = np.concatenate([keys[name] for name in parts])
    pairs = np.unique(np.stack([of_all, numbers.reshape(-1)], axis=1), axis=0)
    _, num_targets = np.unique(pairs[:, 0], return_counts=True)
    return int((num_targets > 1).sum())


def require_own_test(
    section: StoredData, examples: Examples, test: Examples, keys: Mapping[Examples, Keys]
) -> None:
    """Check that the user's test set is not the training set, and not mostly part of it unless duplicates are dropped.

    Raises:
        DataError: the message has the number of shared examples and the keys of the spec to change.
    """
    shared = int(np.isin(keys[test], keys[examples]).sum())
    is_same = shared == len(keys[test]) and bool(np.isin(keys[examples], keys[test]).all())
    if not is_same and (section.duplicates == "drop" or shared <= MOST_SHARED * len(keys[test])):
        return
    keys_of_test = ", ".join(f"data.{key}" for key in section.TEST_KEYS)
    drop = "" if is_same else "; or set data.duplicates: drop, which takes them from training"
    raise DataError(
        f"{test.origin}: the test set must not be {'' if is_same else 'part of '}the training set, but "
        f"{shared} of its {len(keys[test])} examples are in {examples.origin} too: set {keys_of_test} to "
        f"examples of its own, or leave them out to set data.test_fraction aside{drop}"
    )


def shared_groups(own: Iterable[str], test: Iterable[str], log: Callable[[str], None]) -> None:
    """Report the groups of the training set that the user's test set has too."""
    if shared := len(set(own) & set(test)):
        log(f"leak: {shared} groups are in the training set and in the test set")


def require_own_validation(origin: str, keys: Mapping[SplitName, Keys]) -> None:
    """Refuse a validation set of the user's that is the training set; raises DataError."""
    train, validation = np.unique(keys["train"]), np.unique(keys["validation"])
    if np.array_equal(train, validation):
        raise DataError(
            f"{origin}: the validation set must not be the training set, but all of its examples are: give it "
            "examples of its own, or leave it out to set data.validation_fraction aside"
        )
