"""Runners: where trials run."""

from cellwright.runners.base import EVALUATION, Key, Outcome, Runner, search_place, step_place, trial_place
from cellwright.runners.local import LocalRunner

__all__ = [
    "EVALUATION",
    "Key",
    "LocalRunner",
    "Outcome",
    "Runner",
    "step_place",
    "search_place",
    "trial_place",
]
