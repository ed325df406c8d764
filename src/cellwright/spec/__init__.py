"""The spec: what a user writes, checked once and frozen."""

from cellwright.spec.data import AnyData, DataSection, DigitsData, IdxData, ImagesData, NpzData
from cellwright.spec.loading import load_spec, parse_spec
from cellwright.spec.platform import Register, Resources, Toleration, Tracking
from cellwright.spec.retrain import Augment, Baseline, Evaluate, Retrain
from cellwright.spec.search_spec import SearchSpec
from cellwright.spec.space import AnySpace, ChainSpace, CustomSpace, DartsSpace, NasBench201Space
from cellwright.spec.strategy import (
    AnyStrategy,
    BetaDartsStrategy,
    Budget,
    DartsStrategy,
    OneShotSection,
)

__all__ = [
    "AnyData",
    "AnySpace",
    "AnyStrategy",
    "Augment",
    "Baseline",
    "BetaDartsStrategy",
    "Budget",
    "ChainSpace",
    "CustomSpace",
    "DartsSpace",
    "DartsStrategy",
    "DataSection",
    "DigitsData",
    "Evaluate",
    "IdxData",
    "ImagesData",
    "NasBench201Space",
    "NpzData",
    "OneShotSection",
    "Register",
    "Resources",
    "Retrain",
    "SearchSpec",
    "Toleration",
    "Tracking",
    "load_spec",
    "parse_spec",
]
