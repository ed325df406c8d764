"""Estimators: what scores architectures without training them in full."""

from cellwright.estimators._base import Estimator, Setting
from cellwright.estimators._cost import COSTS, measure_cost
from cellwright.estimators._latency import Latency
from cellwright.estimators._shared_weights import SharedWeights
from cellwright.estimators._short_training import Training, train_shortly
from cellwright.estimators._surrogate import SurrogateScore
from cellwright.estimators._tabular import Tabular, read_table
from cellwright.estimators._zero_cost import ZeroCost
from cellwright.spec import (
    AnyEstimator,
    LatencyEstimator,
    SharedWeightsEstimator,
    ShortTrainingEstimator,
    SurrogateEstimator,
    TabularEstimator,
    ZeroCostEstimator,
)

__all__ = [
    "COSTS",
    "Estimator",
    "Setting",
    "SharedWeights",
    "SurrogateScore",
    "Tabular",
    "Training",
    "build_estimator",
    "measure_cost",
    "read_table",
    "train_shortly",
]


def build_estimator(section: AnyEstimator, setting: Setting, *, seed: int) -> Estimator:
    """Return the estimator that one of a spec's `estimators` describes; short training is a trial's affair."""
    match section:
        case ZeroCostEstimator():
            return ZeroCost(section, setting, seed=seed)
        case LatencyEstimator():
            return Latency(section, setting, seed=seed)
        case SharedWeightsEstimator():
            return SharedWeights(section, setting, seed=seed)
        case SurrogateEstimator():
            return SurrogateScore(section, setting)
        case TabularEstimator():
            return Tabular(section, setting.space)
        case ShortTrainingEstimator():
            raise AssertionError("short training runs in a trial")
