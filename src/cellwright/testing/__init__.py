"""Tests that a strategy inherits, whoever writes it; they need pytest."""

from cellwright.testing.one_shot import DifferentiableContract, OneShotContract
from cellwright.testing.sampled import SampledContract

__all__ = ["DifferentiableContract", "OneShotContract", "SampledContract"]
