"""A part as a network of its own: weights of the largest network, with its own statistics of norms."""

from collections.abc import Sequence

import torch
from torch import nn

from cellwright.data.split import Inputs, Split
from cellwright.genotype import Genotype
from cellwright.spaces.stages.cutting import Cutter, Tensors
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.tasks.base import Task
from cellwright.training.precision import channels_last

CALIBRATION, BATCH = 1024, 256
"""Maximum number of training examples for the statistics of norms, and those in each batch."""


def calibration_batches(train: Split) -> list[Inputs]:
    """Return training inputs, without augmentation, for the statistics of norms."""
    return [inputs for inputs, _ in train.sample(CALIBRATION, seed=0).ordered_batches(BATCH)]


def standalone(
    task: Task, cutter: Cutter, part: Genotype, tensors: Tensors, calibration: Sequence[Inputs]
) -> nn.Module:
    """Return the network of a part with copied weights, in eval mode, on the device of the calibration inputs.

    Args:
        task: the task of the networks.
        cutter: cuts parts out of the largest network.
        part: genotype of the part.
        tensors: parameters and buffers of the largest network.
        calibration: batches of inputs; the statistics of all norms are the averages over these batches.
    """
    network = StagesNetwork(task, Design.of(part).canonical).to(calibration[0][0].device)
    network.load_state_dict(
        {name: tensor.clone() for name, tensor in cutter.cut(part, tensors).items()}, strict=False
    )
    calibrate(channels_last(network), calibration)
    return network.eval()


@torch.no_grad()
def calibrate(network: nn.Module, calibration: Sequence[Inputs]) -> None:
    """Set the statistics of all norms to their averages over batches of inputs."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    for inputs in calibration:
        network(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
