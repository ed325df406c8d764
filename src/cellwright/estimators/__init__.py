"""Estimators: what scores architectures without training them in full."""

from cellwright.estimators._base import Estimate, Estimator, Setting

__all__ = ["Estimate", "Estimator", "Setting"]
