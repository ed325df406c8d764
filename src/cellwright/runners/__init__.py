"""Runners, which define where trials run. The runner of a spec is loaded by its section's import path."""

from cellwright.importing import load_class
from cellwright.runners.base import (
    FOUND,
    REQUEST,
    RESULT,
    RUN,
    SLICE,
    START,
    Finding,
    Key,
    Outcome,
    Runner,
    Trials,
    request_location,
    run_id,
    search_location,
    step_location,
    trial_location,
)
from cellwright.spec import RunnerSection

__all__ = [
    "FOUND",
    "REQUEST",
    "RESULT",
    "RUN",
    "SLICE",
    "START",
    "Finding",
    "Key",
    "Outcome",
    "Runner",
    "Trials",
    "request_location",
    "run_id",
    "runner_class",
    "search_location",
    "step_location",
    "trial_location",
]


def runner_class(section: RunnerSection) -> type[Runner]:
    """Return the class of a section's runner."""
    return load_class(section.implementation, Runner)  # type: ignore[type-abstract]
