"""The `tune` section: hyperparameters of the retraining that are searched too."""

from typing import Annotated, Any, Literal

from pydantic import Field

from cellwright.spec.section import Section

Values = Annotated[tuple[Any, ...], Field(min_length=2)]


class Tune(Section):
    """Hyperparameters that are searched with the architecture, or after it."""

    when: Literal["with", "after"] = "after"
    """Together with the architecture, or for the found one alone."""
    values: dict[Annotated[str, Field(pattern=r"^(retrain|augment)\.\w+$")], Values] = Field(min_length=1)
    """For each key of the sections `retrain` and `augment`, the values to choose from."""
    evaluations: int = Field(default=10, ge=1)
    """How many combinations are tried after the architecture is found."""
