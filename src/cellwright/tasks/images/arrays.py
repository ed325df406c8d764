"""Validates arrays of images and labels, and converts them to a common form."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.data.examples import Examples, Source, format_shape
from cellwright.data.joined import Joined, joined
from cellwright.errors import DataError
from cellwright.results import Result
from cellwright.spec.data import StoredData
from cellwright.tasks.classified_data import ClassifiedData
from cellwright.tasks.facts import CLASS_NAMES, FILES
from cellwright.tasks.labels import Labels, number_classes

Layout = Literal["NHWC", "NCHW", "HWCN", "CHWN"]
MIN_SIDE = 8

AXES: dict[Layout, tuple[int, int, int, int]] = {
    "NHWC": (0, 3, 1, 2),
    "NCHW": (0, 1, 2, 3),
    "HWCN": (3, 2, 0, 1),
    "CHWN": (3, 0, 1, 2),
}
"""Positions of (N, C, H, W) in each order of axes."""
USUAL_CHANNELS = (1, 3, 4)

Pixels = NDArray[np.uint8] | NDArray[np.float32]


class ArraySection(StoredData, ClassifiedData):
    """Common keys of sources with all images in one array."""

    layout: Layout | None = None
    """The order of the axes of four-dimensional images: examples N, height H, width W, channels C. NHWC by default,
    with 1, 3 or 4 channels; with another number of channels, the order is required."""
    class_names: tuple[str, ...] | None = None
    """Names of classes with numeric labels, the lowest label first; the numbers by default."""


def as_images(array: NDArray[Any], layout: Layout | None, origin: str) -> Pixels:
    """Convert images to (N, C, H, W): bytes remain bytes; other numbers become float32 and must be finite.

    Args:
        array: the images; without an axis of channels, they have one channel.
        layout: the order of the axes; by default NHWC, with 1, 3 or 4 channels.
        origin: name of the images in messages.
    """
    if array.ndim not in (3, 4):
        is_flat = array.ndim == 2 and (side := math.isqrt(array.shape[1])) ** 2 == array.shape[1]
        remedy = f"; if they are flat, use .reshape(-1, {side}, {side})" if is_flat else ""
        raise DataError(f"{origin}: images must have 3 or 4 axes, got the shape {array.shape}{remedy}")
    order = layout or "NHWC"
    given = array if array.ndim == 4 else np.expand_dims(array, order.index("C"))
    array = given.transpose(AXES[order])
    if array.size == 0:
        raise DataError(f"{origin}: there must be images, got the shape {array.shape}")
    if layout is None and array.shape[1] not in USUAL_CHANNELS:
        raise DataError(
            f"{origin}: images must have 1, 3 or 4 channels unless data.layout is set, got {array.shape[1]}, "
            f"the shape {given.shape} read as NHWC (examples, height, width, channels): set data.layout: "
            f"{_layouts(given)}"
        )
    if min(array.shape[2:]) < MIN_SIDE:
        raise DataError(
            f"{origin}: the sides of images must be at least {MIN_SIDE}, got {format_shape(array)} (channels, "
            f"height, width, read as {order})"
        )
    if array.dtype.kind not in "biuf":
        raise DataError(f"{origin}: pixels must be real numbers, got the dtype {array.dtype}")
    if array.dtype in (np.uint8, np.bool_):
        return array.astype(np.uint8, copy=False)
    with np.errstate(over="ignore"):
        floats = array.astype(np.float32, copy=False)
    broken = np.flatnonzero(~np.isfinite(floats).all(axis=(1, 2, 3)))
    if broken.size:
        raise DataError(
            f"{origin}: pixels must be finite, but {broken.size} images hold NaN or infinity, "
            f"the first at index {broken[0]}"
        )
    return floats


def _layouts(array: NDArray[Any]) -> str:
    """Return a message about the orders of axes that would be plausible, and the result of the default one."""
    fitting = []
    for layout, axes in AXES.items():
        _, channels, *sides = (array.shape[axis] for axis in axes)
        if layout == "NHWC" or (channels in USUAL_CHANNELS and min(sides) >= MIN_SIDE):
            fitting.append(f"{layout} for {channels} channels of {'×'.join(map(str, sides))}")
    return ", or ".join(reversed(fitting))


def labelled(
    origin: str, images: Pixels | Joined, labels: NDArray[np.int64], files: tuple[str, ...] = ()
) -> Examples:
    """Return images and labels as examples, and the names of the files that they are from, if any."""
    return Examples(origin=origin, inputs={"images": images}, targets=labels, files=files)


def classified(
    class_names: tuple[str, ...],
    examples: Examples,
    test: Examples | None = None,
    validation: Examples | None = None,
    *,
    files: Result | None = None,
) -> Source:
    """Return the examples, and the user's own test and validation sets, with the facts for the task.

    Raises:
        DataError: the sets have different forms, or there is a validation set but no test set.
    """
    return source_of({CLASS_NAMES: class_names, FILES: files}, examples, test, validation)


def source_of(
    facts: Mapping[str, Any],
    examples: Examples,
    test: Examples | None = None,
    validation: Examples | None = None,
) -> Source:
    """Return the examples, and the user's own test and validation sets, as `classified` does for any targets."""
    if validation is None:
        return Source(examples=examples, test=test, facts=facts)
    if test is None:
        raise DataError(f"{validation.origin}: a validation set needs a test set: set that too")
    assigned = np.repeat(["train", "validation"], [len(examples), len(validation)])
    return Source(examples=_joined(examples, validation), test=test, facts=facts, assigned=assigned)


def _joined(examples: Examples, validation: Examples) -> Examples:
    """Return the examples of both sets, which must have the same form."""
    Source(examples=examples, test=validation)  # checks that they have the same form
    inputs = {name: joined(ours, validation.inputs[name]) for name, ours in examples.inputs.items()}
    targets = np.concatenate([examples.targets, validation.targets])
    return Examples(
        origin=examples.origin, inputs=inputs, targets=targets, files=examples.files + validation.files
    )


def labelled_sets(sets: Mapping[str, tuple[Pixels, Labels, str]], names: Sequence[str] | None) -> Source:
    """Return a source from the set `train`, which is the first, and optional user's sets `validation` and `test`.

    Args:
        sets: images and labels (from `read_labels`) of each set, and its name in messages.
        names: names of classes with numeric labels; the numbers if None.
    """
    (_, own, origin), *others = sets.values()
    called, targets = number_classes(own, origin, names, *((labels, where) for _, labels, where in others))
    parts = {
        part: labelled(where, images, classes)
        for (part, (images, _, where)), classes in zip(sets.items(), targets, strict=True)
    }
    return classified(called, parts["train"], parts.get("test"), parts.get("validation"))
