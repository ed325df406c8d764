"""One-shot strategies: what trains a supernet and derives an architecture from it."""

from cellwright.data import Batch
from cellwright.importing import load_class
from cellwright.spec import OneShotSection, TaskSection
from cellwright.strategies.one_shot.base import Intervention, OneShotStrategy, Round, SearchData, StepResult
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


def build_strategy(section: OneShotSection, augment: TaskSection, *, seed: int) -> OneShotStrategy:
    """Return the strategy that a spec's `strategy` section describes."""
    strategy = load_class(section.implementation, OneShotStrategy)  # type: ignore[type-abstract]
    return strategy(section, augment, seed=seed)
