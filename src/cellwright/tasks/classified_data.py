"""What data with classes has in its section of the spec; no torch."""

from pydantic import Field

from cellwright.spec.data import DataSection


class ClassifiedData(DataSection):
    """What the sources of all tasks share whose targets are classes."""

    min_class_examples: int = Field(default=5, ge=3)
    """Refuse data with a class that has fewer examples."""
