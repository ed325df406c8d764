"""Sampled strategies: what proposes architectures that are evaluated one by one. No torch."""

from collections.abc import Sequence

from cellwright.evaluation import Objective
from cellwright.sampled._base import SampledStrategy
from cellwright.sampled._random import RandomSearch
from cellwright.spaces import Space
from cellwright.spec import AnySampled

__all__ = ["RandomSearch", "SampledStrategy", "build_sampled"]


def build_sampled(
    section: AnySampled, space: Space, objectives: Sequence[Objective], *, seed: int
) -> SampledStrategy:
    """Return the strategy that a spec's `strategy` section describes."""
    match section.kind:
        case "random":
            return RandomSearch(section, space, objectives, seed=seed)
