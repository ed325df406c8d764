"""The spec: the user's configuration, validated once and frozen.

The section of each kind is beside the code that it configures; `families` lists all kinds.
"""

from cellwright.spec.data import DataSection, StoredData
from cellwright.spec.estimators import (
    AnyPick,
    BestPick,
    Constraints,
    EstimatorSection,
    KneePick,
    ObjectiveSection,
    WeightedPick,
    WithinPick,
)
from cellwright.spec.explaining import describe_errors
from cellwright.spec.families import ESTIMATORS, RUNNERS, SOURCES, SPACES, STORES, STRATEGIES, TASKS
from cellwright.spec.family import Family
from cellwright.spec.loading import load_spec, pack_spec, parse_spec, unpack_spec
from cellwright.spec.platform import Pipeline, Register, Resources, Toleration, Tracking, count_bytes
from cellwright.spec.retrain import Baseline, Evaluate, Retrain
from cellwright.spec.runner import RunnerSection
from cellwright.spec.search_spec import SearchSpec
from cellwright.spec.section import Section
from cellwright.spec.space import SpaceSection
from cellwright.spec.start import Start
from cellwright.spec.store import StoreSection
from cellwright.spec.strategy import (
    AlphaSection,
    AshaScheduler,
    Budget,
    Guard,
    OneShotSection,
    Precision,
    SampledSection,
    StrategySection,
)
from cellwright.spec.task import TaskSection
from cellwright.spec.tune import Hyperparameters, Tune

__all__ = [
    "ESTIMATORS",
    "RUNNERS",
    "SOURCES",
    "SPACES",
    "STORES",
    "STRATEGIES",
    "TASKS",
    "AlphaSection",
    "AnyPick",
    "AshaScheduler",
    "Baseline",
    "BestPick",
    "Budget",
    "Constraints",
    "DataSection",
    "EstimatorSection",
    "Evaluate",
    "Family",
    "Guard",
    "Hyperparameters",
    "KneePick",
    "ObjectiveSection",
    "OneShotSection",
    "Pipeline",
    "Precision",
    "Register",
    "Resources",
    "Retrain",
    "RunnerSection",
    "SampledSection",
    "SearchSpec",
    "Section",
    "SpaceSection",
    "Start",
    "StoreSection",
    "StoredData",
    "StrategySection",
    "TaskSection",
    "Toleration",
    "Tracking",
    "Tune",
    "WeightedPick",
    "WithinPick",
    "count_bytes",
    "load_spec",
    "describe_errors",
    "pack_spec",
    "parse_spec",
    "unpack_spec",
]
