"""The digits of scikit-learn."""

from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Literal

import numpy as np

from cellwright.data import Reader, Source
from cellwright.data.reading import Contents
from cellwright.files import file_digest
from cellwright.tasks.classified_data import ClassifiedData
from cellwright.tasks.images.arrays import classified, labelled

DIGITS = "digits.csv.gz"


class DigitsSection(ClassifiedData):
    """The 1,797 8×8 digits of scikit-learn."""

    reader = "cellwright.tasks.images.sources.digits:DigitsReader"
    task = "images"

    source: Literal["digits"]


class DigitsReader(Reader):
    """Reads 1,797 8×8 images with integer pixels from 0 to 16."""

    def read(self, log: Callable[[str], None] = lambda fact: None) -> Source:
        """Read the images."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = digits.images[:, np.newaxis].astype(np.uint8)
        labels = digits.target.astype(np.int64)
        return classified(tuple(map(str, digits.target_names)), labelled("digits", images, labels))

    def contents(self) -> Contents:
        """Return the digest of the file in the package, without importing scikit-learn, which takes seconds."""
        file = distribution("scikit-learn").locate_file(f"sklearn/datasets/data/{DIGITS}")
        return {"": {DIGITS: file_digest(Path(str(file)))}}
