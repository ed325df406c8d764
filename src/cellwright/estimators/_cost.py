"""What a genotype's final network costs, told without training or even making its weights."""

from collections.abc import Mapping

import torch

from cellwright.estimators._base import Setting
from cellwright.genotype import Genotype
from cellwright.nn.build import build_network
from cellwright.nn.cost import count_macs, count_params

COSTS = ("params", "macs")


def measure_cost(genotype: Genotype, setting: Setting) -> Mapping[str, float]:
    """Return parameters and multiply-accumulates of one example."""
    with torch.device("meta"):
        network = build_network(setting.final_space, setting.task, genotype)
    return {"params": count_params(network), "macs": count_macs(network, setting.task.image_shape)}
