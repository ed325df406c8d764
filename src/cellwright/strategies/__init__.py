"""Search strategies: what proposes architectures."""

from cellwright.spec import AnyOneShot, Augment, CustomStrategy, OneShotSection
from cellwright.strategies._base import (
    Batch,
    Intervention,
    OneShotStrategy,
    Round,
    SearchData,
    StepResult,
)
from cellwright.strategies._beta_darts import BetaDarts
from cellwright.strategies._custom import build_custom
from cellwright.strategies._darts import Darts
from cellwright.strategies._differentiable import Differentiable
from cellwright.strategies._drnas import Drnas
from cellwright.strategies._enas import Enas
from cellwright.strategies._gdas import Gdas
from cellwright.strategies._pc_darts import PcDarts
from cellwright.strategies._random_ws import RandomWs
from cellwright.strategies._single_path import SinglePath
from cellwright.strategies._spos import Spos

__all__ = [
    "Batch",
    "BetaDarts",
    "Darts",
    "Differentiable",
    "Drnas",
    "Enas",
    "Gdas",
    "Intervention",
    "OneShotStrategy",
    "PcDarts",
    "RandomWs",
    "Round",
    "SearchData",
    "SinglePath",
    "Spos",
    "StepResult",
    "build_strategy",
]


STRATEGIES: dict[type[OneShotSection], type[OneShotStrategy]] = {
    strategy.settings_type: strategy
    for strategy in (Darts, PcDarts, Gdas, Drnas, BetaDarts, Spos, RandomWs, Enas)
}
"""Each strategy by the type of its section."""


def build_strategy(section: AnyOneShot, augment: Augment, *, seed: int) -> OneShotStrategy:
    """Return the strategy that a spec's `strategy` section describes."""
    if isinstance(section, CustomStrategy):
        return build_custom(section, augment, seed=seed)
    return STRATEGIES[type(section)](section, augment, seed=seed)
