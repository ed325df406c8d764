"""The `tune` section: hyperparameters of the retraining that are searched too."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cellwright.canonical import canonical_json
from cellwright.spec.form import Form
from cellwright.spec.section import Section


def _differ(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({canonical_json(value) for value in values}) < len(values):
        raise ValueError("values must differ from each other")
    return values


Hyperparameters = dict[
    Annotated[
        str,
        Form(
            r"^(retrain|augment)\.[a-z0-9_]+$", "a key of retrain or augment, such as retrain.learning_rate"
        ),
    ],
    Annotated[tuple[Any, ...], Field(min_length=2), AfterValidator(_differ)],
]
"""For each key of the sections `retrain` and `augment`, the values to choose from."""


class Tune(Section):
    """Hyperparameters that are searched with the architecture, or after it."""

    when: Literal["with", "after"] = "after"
    """Together with the architecture, or for the found one alone."""
    values: Hyperparameters = Field(min_length=1)
    """For each key of the sections `retrain` and `augment`, the values to choose from."""
    evaluations: int = Field(default=10, ge=1)
    """How many combinations are tried after the architecture is found."""
