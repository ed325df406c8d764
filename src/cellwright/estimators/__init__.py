"""Estimators: what scores architectures without training them in full."""

from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.cost import COSTS, measure_cost
from cellwright.estimators.latency.estimator import Latency
from cellwright.estimators.shared_weights.estimator import SharedWeights
from cellwright.estimators.short_training.training import Training, train_shortly
from cellwright.estimators.surrogate.estimator import SurrogateScore
from cellwright.estimators.tabular.estimator import Tabular, read_table
from cellwright.estimators.zero_cost.estimator import ZeroCost
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
