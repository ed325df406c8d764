"""Estimators: what scores architectures without training them in full."""

from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.cost import COSTS, measure_cost
from cellwright.importing import load_class
from cellwright.spec import EstimatorSection

__all__ = ["COSTS", "Estimator", "Setting", "build_estimator", "measure_cost"]


def build_estimator(section: EstimatorSection, setting: Setting, *, seed: int) -> Estimator:
    """Return the estimator that one of a spec's `estimators` describes."""
    estimator = load_class(section.implementation, Estimator)  # type: ignore[type-abstract]
    return estimator(section, setting, seed=seed)
