"""Search strategies: what proposes architectures."""

from cellwright.spec import AnyOneShot, Augment, CustomStrategy, OneShotSection
from cellwright.strategies.one_shot.base import (
    Batch,
    Intervention,
    OneShotStrategy,
    Round,
    SearchData,
    StepResult,
)
from cellwright.strategies.one_shot.beta_darts.strategy import BetaDarts
from cellwright.strategies.one_shot.custom import build_custom
from cellwright.strategies.one_shot.darts.strategy import Darts
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.strategies.one_shot.drnas.strategy import Drnas
from cellwright.strategies.one_shot.enas.strategy import Enas
from cellwright.strategies.one_shot.gdas.strategy import Gdas
from cellwright.strategies.one_shot.pc_darts.strategy import PcDarts
from cellwright.strategies.one_shot.random_ws.strategy import RandomWs
from cellwright.strategies.one_shot.single_path import SinglePath
from cellwright.strategies.one_shot.spos.strategy import Spos

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
