"""The spec: what a user writes, checked once and frozen."""

from cellwright.spec.data import AnyData, DataSection, DigitsData, IdxData, ImagesData, NpzData
from cellwright.spec.estimators import (
    AnyEstimator,
    Constraints,
    EstimatorSection,
    LocalRunner,
    ObjectiveSection,
    ShortTrainingEstimator,
)
from cellwright.spec.loading import load_spec, parse_spec
from cellwright.spec.platform import Register, Resources, Toleration, Tracking
from cellwright.spec.retrain import Augment, Baseline, Evaluate, Retrain
from cellwright.spec.sampled import RandomSearchStrategy, SampledSection
from cellwright.spec.search_spec import SearchSpec
from cellwright.spec.space import AnySpace, ChainSpace, CustomSpace, DartsSpace, NasBench201Space
from cellwright.spec.strategy import (
    AlphaSection,
    AnyOneShot,
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
    "AnyEstimator",
    "AnyOneShot",
    "AnySpace",
    "AnyStrategy",
    "Augment",
    "Baseline",
    "BetaDartsStrategy",
    "Budget",
    "ChainSpace",
    "Constraints",
    "CustomSpace",
    "CustomStrategy",
    "DartsSpace",
    "DartsStrategy",
    "DataSection",
    "DigitsData",
    "DrnasStrategy",
    "EnasStrategy",
    "EstimatorSection",
    "Evaluate",
    "GdasStrategy",
    "Guard",
    "IdxData",
    "ImagesData",
    "LocalRunner",
    "NasBench201Space",
    "NpzData",
    "ObjectiveSection",
    "OneShotSection",
    "PcDartsStrategy",
    "RandomSearchStrategy",
    "RandomWsStrategy",
    "Register",
    "Resources",
    "Retrain",
    "SampledSection",
    "SearchSpec",
    "ShortTrainingEstimator",
    "SposStrategy",
    "Toleration",
    "Tracking",
    "load_spec",
    "parse_spec",
]
