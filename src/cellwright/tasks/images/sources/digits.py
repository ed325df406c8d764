"""The digits that come with scikit-learn."""

from typing import Literal

import numpy as np

from cellwright.data.examples import Examples, Source
from cellwright.spec.data import DataSection


class DigitsSection(DataSection):
    """The 1,797 8×8 digits that come with scikit-learn."""

    source: Literal["digits"]


def read_digits() -> Source:
    """Read the 1,797 images, 8×8, whose pixels are the whole numbers from 0 to 16."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    examples = Examples(
        origin="digits",
        images=digits.images[:, np.newaxis].astype(np.uint8),
        labels=digits.target.astype(np.int64),
    )
    return Source(class_names=tuple(map(str, digits.target_names)), examples=examples)
