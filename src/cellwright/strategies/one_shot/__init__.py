"""One-shot strategies: what trains a supernet and derives an architecture from it."""

from cellwright.importing import load_class
from cellwright.spec import Augment, OneShotSection
from cellwright.strategies.one_shot.base import (
    Batch,
    Intervention,
    OneShotStrategy,
    Round,
    SearchData,
    StepResult,
)
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.strategies.one_shot.single_path import SinglePath

__all__ = [
    "Batch",
    "Differentiable",
    "Intervention",
    "OneShotStrategy",
    "Round",
    "SearchData",
    "SinglePath",
    "StepResult",
    "build_strategy",
]


def build_strategy(section: OneShotSection, augment: Augment, *, seed: int) -> OneShotStrategy:
    """Return the strategy that a spec's `strategy` section describes."""
    strategy = load_class(section.implementation, OneShotStrategy)  # type: ignore[type-abstract]
    return strategy(section, augment, seed=seed)
