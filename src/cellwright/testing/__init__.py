"""Tests that a strategy inherits, whoever writes it; they need pytest."""

from cellwright.testing._one_shot import DifferentiableContract, OneShotContract
from cellwright.testing._sampled import SampledContract

__all__ = ["DifferentiableContract", "OneShotContract", "SampledContract"]
