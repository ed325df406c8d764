"""Estimators: what scores architectures without training them in full."""

from cellwright.estimators._base import Estimator, Setting
from cellwright.estimators._cost import COSTS, measure_cost
from cellwright.estimators._short_training import Training, train_shortly
from cellwright.estimators._tabular import Tabular, read_table
from cellwright.spec import AnyEstimator, TabularEstimator

__all__ = [
    "COSTS",
    "Estimator",
    "Setting",
    "Tabular",
    "Training",
    "build_estimator",
    "measure_cost",
    "read_table",
    "train_shortly",
]


def build_estimator(section: AnyEstimator, setting: Setting) -> Estimator:
    """Return the estimator that one of a spec's `estimators` describes; short training is a trial's affair."""
    match section:
        case TabularEstimator():
            return Tabular(section, setting.space)
        case _:
            raise AssertionError(section)
