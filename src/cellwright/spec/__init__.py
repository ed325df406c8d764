"""The spec: what a user writes, checked once and frozen."""

from cellwright.spec.data import AnyData, DataSection, DigitsData, IdxData, ImagesData, NpzData
from cellwright.spec.loading import load_spec, parse_spec
from cellwright.spec.platform import Register, Resources, Toleration, Tracking
from cellwright.spec.retrain import Augment, Baseline, Evaluate, Retrain
from cellwright.spec.search_spec import SearchSpec
from cellwright.spec.space import AnySpace, ChainSpace, CustomSpace, DartsSpace, NasBench201Space
from cellwright.spec.strategy import (
    AlphaSection,
    AnyStrategy,
    BetaDartsStrategy,
    Budget,
    CustomStrategy,
    DartsStrategy,
    DrnasStrategy,
    EnasStrategy,
    GdasStrategy,
    Guard,
    OneShotSection,
    PcDartsStrategy,
    RandomWsStrategy,
    SposStrategy,
)

__all__ = [
    "AlphaSection",
    "AnyData",
    "AnySpace",
    "AnyStrategy",
    "Augment",
    "Baseline",
    "BetaDartsStrategy",
    "Budget",
    "ChainSpace",
    "CustomSpace",
    "CustomStrategy",
    "DartsSpace",
    "DartsStrategy",
    "DataSection",
    "DigitsData",
    "DrnasStrategy",
    "EnasStrategy",
    "Evaluate",
    "GdasStrategy",
    "Guard",
    "IdxData",
    "ImagesData",
    "NasBench201Space",
    "NpzData",
    "OneShotSection",
    "PcDartsStrategy",
    "RandomWsStrategy",
    "Register",
    "Resources",
    "Retrain",
    "SearchSpec",
    "SposStrategy",
    "Toleration",
    "Tracking",
    "load_spec",
    "parse_spec",
]
