"""Costs of a genotype's final network, computed without training it or allocating its weights."""

from collections.abc import Mapping

from cellwright.estimators.base import Setting
from cellwright.genotype import Genotype
from cellwright.spaces.networks import trace_genotype
from cellwright.spec.estimators import COSTS

__all__ = ["COSTS", "measure_cost"]


def measure_cost(genotype: Genotype, setting: Setting) -> Mapping[str, float]:
    """Return parameters, multiply-accumulates, depth and memory, each for one example."""
    cost = trace_genotype(setting.final_space, setting.task, genotype)
    found = (cost.params, cost.macs, cost.depth, cost.memory_bytes / 1e6)
    return dict(zip(COSTS, found, strict=True))
