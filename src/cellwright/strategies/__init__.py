"""Search strategies: what proposes architectures."""

from cellwright.spec import AnyStrategy, Augment
from cellwright.strategies._base import OneShotStrategy, SearchData
from cellwright.strategies._beta_darts import BetaDarts
from cellwright.strategies._darts import Darts

__all__ = ["BetaDarts", "Darts", "OneShotStrategy", "SearchData", "build_strategy"]


def build_strategy(section: AnyStrategy, augment: Augment, *, seed: int) -> OneShotStrategy:
    """Return the strategy that a spec's `strategy` section describes."""
    match section.kind:
        case "darts":
            return Darts(section, augment, seed=seed)
        case "beta-darts":
            return BetaDarts(section, augment, seed=seed)
