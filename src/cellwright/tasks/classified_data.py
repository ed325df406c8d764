"""What data sources with classes share; needs no torch."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cellwright.errors import DataError
from cellwright.spec.data import DataSection

MOST_CLASSES = 1000
TARGETS = {"number": "regression", "labels": "labels"}
"""How the names of tasks end, by what is predicted other than a class."""


class ClassifiedData(DataSection):
    """Common keys of data sources whose targets are classes, for all tasks."""

    min_class_examples: int = Field(default=5, ge=3)
    """Minimum number of examples of each class."""
    class_weights: Literal["none", "balanced"] = "none"
    """Weight of examples in the loss: the same for all (`none`), or inversely proportional to the class's frequency
    (`balanced`)."""


class ClassOrNumberData(ClassifiedData):
    """What sources share whose targets are classes or numbers; `task` is the one for classes."""

    predict: Literal["class", "number"] = "class"
    """What the target is."""
    log: bool = False
    """Whether to learn the logarithm of a number; for amounts, whose errors matter in percent."""

    @property
    def task_kind(self) -> str:
        """Return the task that the target makes it."""
        if self.predict == "class":
            return self.task
        return f"{self.task.removesuffix('-classification')}-{TARGETS[self.predict]}"


def are_classes(num_names: int, num_targets: int) -> bool:
    """Return whether so many different targets are few enough to be classes."""
    return num_names <= min(MOST_CLASSES, max(2, num_targets // 3))


def class_indices(labels: Sequence[str], names: Sequence[str], origin: str) -> NDArray[np.int64]:
    """Return the index of each label among the names; raises DataError for another label."""
    indices = {name: index for index, name in enumerate(names)}
    if unknown := sorted(set(labels) - indices.keys()):
        raise DataError(f"{origin}: classes must be among {', '.join(names)}, got {unknown[0]!r}")
    return np.array([indices[label] for label in labels], np.int64)
