"""Sampled strategies: what proposes architectures that are evaluated one by one. No torch."""

from cellwright.sampled._base import SampledStrategy
from cellwright.sampled._random import RandomSearch

__all__ = ["RandomSearch", "SampledStrategy"]
