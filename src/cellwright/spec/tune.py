"""The `tune` section: retraining hyperparameters to search."""

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
"""For each key of `retrain` and `augment` to search, the values to choose from."""


class Tune(Section):
    """Hyperparameters that are searched with the architecture, or after it."""

    when: Literal["with", "after"] = "after"
    """`with` searches them together with the architecture; `after`, for the found architecture only."""
    values: Hyperparameters = Field(min_length=1)
    """For each key of `retrain` and `augment` to search, the values to choose from."""
    evaluations: int = Field(default=10, ge=1)
    """Number of combinations to try after the architecture is found."""
