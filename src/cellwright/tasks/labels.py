"""Converts users' labels to class indices from 0."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright.errors import DataError
from cellwright.tasks.folder_names import natural_order, normal

Labels = NDArray[Any]
"""Shape (N,); whole numbers or text."""
LARGEST_FLOAT = 2**53
"""Floats are exact up to this value."""


USUAL_LABELS = ("label", "labels", "fine_label", "class", "target")
"""Names of columns that most likely hold the labels, the likeliest first."""


def read_labels(array: NDArray[Any], num_examples: int, origin: str, log: Callable[[str], None]) -> Labels:
    """Return a label for each example: a whole number or a text.

    Args:
        array: labels (N,), (N, 1) or (1, N), or one-hot rows (N, classes); numbers, booleans or text.
        num_examples: N.
        origin: name of the labels in messages.
        log: receives a message if labels were converted.
    """
    if array.shape in ((num_examples, 1), (1, num_examples)):
        array = array.reshape(-1)
    elif array.ndim == 2 and len(array) == num_examples and _is_one_hot(array):
        log(f"{origin}: labels are one-hot, of {array.shape[1]} classes")
        array = array.argmax(axis=1)
    if array.shape != (num_examples,):
        raise DataError(
            f"{origin}: there must be one label for each of {num_examples} examples, or one-hot rows, "
            f"got labels of the shape {array.shape}"
        )
    match array.dtype.kind:
        case "i" | "u" | "U":
            return array
        case "b":
            return array.astype(np.int64)
        case "S":
            return np.char.decode(array, "utf-8", "backslashreplace")
        case "f":
            wrong = np.flatnonzero(~(np.abs(array) < LARGEST_FLOAT) | (array != np.rint(array)))
            if wrong.size:
                raise DataError(
                    f"{origin}: labels must be whole numbers, got {array[wrong[0]]} at index {wrong[0]}"
                )
            return array.astype(np.int64)
    raise DataError(f"{origin}: labels must be whole numbers or text, got the dtype {array.dtype}")


def number_classes(
    labels: Labels, origin: str, names: Sequence[str] | None, *others: tuple[Labels, str]
) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Return the class names, and the class indices of each set, the training set first.

    Numeric labels start at 0 or 1 and have no gaps. Text labels are sorted in natural order.

    Args:
        labels: labels of the training set, from `read_labels`.
        origin: their name in messages.
        names: names of classes with numeric labels; the numbers if None.
        others: labels of the user's own validation and test sets, and their names in messages.
    """
    if labels.dtype.kind == "U":
        classes = np.array(natural_order({normal(str(label)) for label in np.unique(labels)}))
    else:
        classes = _consecutive(labels, origin)
    if names is not None and labels.dtype.kind == "U":
        raise DataError(f"{origin}: data.class_names must be left out, since the labels are names themselves")
    if names is not None and len(names) != len(classes):
        raise DataError(
            f"{origin}: data.class_names must have {len(classes)} names, for the labels {classes[0]} to "
            f"{classes[-1]}, got {len(names)}"
        )
    called = tuple(map(str, names or classes))
    sets = ((labels, origin), *others)
    return called, [_indices(some, classes, where, origin) for some, where in sets]


def _consecutive(labels: Labels, origin: str) -> NDArray[Any]:
    first = min(int(labels.min()), 1)
    outside = np.flatnonzero((labels < 0) | (labels >= len(labels) + max(first, 0)))
    if outside.size:
        raise DataError(
            f"{origin}: labels out of range: {labels[outside[0]]} at index {outside[0]}; "
            "classes are numbered from 0 or 1, and each must occur"
        )
    last = int(labels.max())
    absent = np.setdiff1d(np.arange(first, last + 1), labels)
    if absent.size:
        more = f", nor {absent.size - 1} others" if absent.size > 1 else ""
        raise DataError(
            f"{origin}: every class from {first} to {last} must occur, but none of the labels is "
            f"{absent[0]}{more}"
        )
    return np.arange(first, last + 1)


def _indices(labels: Labels, classes: NDArray[Any], origin: str, of: str) -> NDArray[np.int64]:
    if (labels.dtype.kind == "U") != (classes.dtype.kind == "U"):
        raise DataError(f"{origin}: labels must be as in {of}, {classes.dtype.name}, got {labels.dtype.name}")
    if labels.dtype.kind == "U":
        numbers = {name: number for number, name in enumerate(classes.tolist())}
        indices = np.array([numbers.get(normal(str(label)), -1) for label in labels], np.int64)
        rule = f"the classes {', '.join(map(repr, classes[:10].tolist()))}"
    else:
        inside = (labels >= classes[0]) & (labels <= classes[-1])
        indices = np.where(inside, labels, classes[0] - 1).astype(np.int64) - classes[0]
        rule = f"the classes {classes[0]} to {classes[-1]}"
    wrong = np.flatnonzero(indices < 0)
    if wrong.size:
        raise DataError(
            f"{origin}: labels out of range: {labels[wrong[0]]} at index {wrong[0]}; {of} has {rule}"
        )
    return indices


def _is_one_hot(array: NDArray[Any]) -> bool:
    """Return whether each row has a single 1 and otherwise zeros."""
    if array.dtype.kind not in "biuf" or array.shape[1] < 2:
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all())
