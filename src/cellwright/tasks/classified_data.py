"""What data with classes has in its section of the spec; no torch."""

from typing import Literal

from pydantic import Field

from cellwright.spec.data import DataSection


class ClassifiedData(DataSection):
    """What the sources of all tasks share whose targets are classes."""

    min_class_examples: int = Field(default=5, ge=3)
    """Refuse data with a class that has fewer examples."""
    class_weights: Literal["none", "balanced"] = "none"
    """How much an example counts in the loss: all alike, or those of rare classes more, so that each class counts as
    much in all."""
