"""The `gate` section: when a new version becomes the champion."""

from typing import Annotated, Literal

from pydantic import Field

from cellwright.spec.retrain import ShareBelowOne
from cellwright.spec.section import Section

MEASURED = ("params", "macs", "latency_ms")
"""What can be bounded of every network, whatever its task."""
Bounds = dict[str, Annotated[float, Field(allow_inf_nan=False)]]
"""By what is measured on the test split: a metric of the task, `worst_class` (the least recall of a class), `params`,
`macs`, or `latency_ms` (the median of one pass at the smallest of `evaluate.latency_batch_sizes`)."""


class Gate(Section):
    """When a new version becomes the champion; without this section the first version does, and no later one.

    A first champion must be better than the hand-designed network, a later one than the champion, on the same test
    examples. `gate: {}` is the gate with all its defaults.
    """

    rule: Literal["superiority", "non-inferiority"] = "superiority"
    """`superiority`: the version must be better. `non-inferiority`: it may also be smaller or faster instead, and worse
    by less than `margin`."""
    margin: float = Field(default=0.01, ge=0)
    """By how much of the task's objective a version that is not inferior may be worse."""
    gain: ShareBelowOne = 0.1
    """By what share of the champion's parameters or latency such a version must be smaller or faster."""
    level: float = Field(default=0.05, gt=0, lt=0.5)
    """The highest probability that a version which is not better passes: of all versions together that are compared on
    one test set."""
    looks: int = Field(default=20, ge=1)
    """How many versions may be compared on one test set. Each has a smaller part of `level`, and at the end the test
    set is worn out: no version passes until there are new examples."""
    leaked: float = Field(default=0.01, ge=0, le=1)
    """The highest share of the test examples that a version's weights may have been trained on: in this run, or in that
    of the model whose weights they start from. Copies of an example count."""
    at_least: Bounds = {}
    """Lower bounds of what is measured on the test split, such as `accuracy` or `worst_class`."""
    at_most: Bounds = {}
    """Upper bounds, such as of `calibration_error`, `params` or `latency_ms`."""
    promote: Literal["automatic", "manual"] = "automatic"
    """Whether a version that passes becomes the champion at once, or waits for `cellwright promote`."""
