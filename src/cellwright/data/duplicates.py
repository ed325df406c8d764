"""Examples that stand more than once."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cellwright.data.manifest import SplitName
from cellwright.data.splitting import Part

Keys = NDArray[np.uint64]

PAIRS: tuple[tuple[SplitName, SplitName], ...] = (
    ("train", "validation"),
    ("train", "test"),
    ("validation", "test"),
)
"""In each pair the first gives way."""


def image_keys(part: Part) -> Keys:
    """Return 64 bits of each image's hash; equal images have equal keys."""
    hashes = (
        hashlib.blake2b(image.tobytes(), digest_size=8).digest() for block in part.blocks() for image in block
    )
    return np.frombuffer(b"".join(hashes), np.uint64)


def repeated(keys: Mapping[SplitName, Keys]) -> dict[tuple[SplitName, SplitName], NDArray[np.bool_]]:
    """Mark for each pair of splits which examples of the first stand in the second too."""
    return {(first, second): np.isin(keys[first], keys[second]) for first, second in PAIRS}


def num_contradictions(keys: Mapping[SplitName, Keys], parts: Mapping[SplitName, Part]) -> int:
    """Count the images that stand with more than one label."""
    pairs = np.concatenate(
        [np.stack([keys[name], part.labels.astype(np.uint64)], axis=1) for name, part in parts.items()]
    )
    _, num_labels = np.unique(np.unique(pairs, axis=0)[:, 0], return_counts=True)
    return int((num_labels > 1).sum())
