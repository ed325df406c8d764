"""Common keys of data sources with classes; needs no torch."""

from typing import Literal

from pydantic import Field

from cellwright.spec.data import DataSection


class ClassifiedData(DataSection):
    """Common keys of data sources whose targets are classes, for all tasks."""

    min_class_examples: int = Field(default=5, ge=3)
    """Minimum number of examples of each class."""
    class_weights: Literal["none", "balanced"] = "none"
    """Weight of examples in the loss: the same for all (`none`), or inversely proportional to the class's frequency
    (`balanced`)."""
