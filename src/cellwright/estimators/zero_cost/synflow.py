"""SynFlow: Tanaka et al. 2020, https://arxiv.org/abs/2006.05467; as a proxy, https://arxiv.org/abs/2101.08134."""

import math

import torch
from torch import nn

from cellwright.estimators.zero_cost.probe import Probe, without
from cellwright.nn.primitives import Norm
from cellwright.tasks.images.task import Standardise


def synflow(network: nn.Module, probe: Probe) -> float:
    """Return the logarithm of the summed products of weights and gradients in a network of absolute weights.

    The loss is the sum of the logits for one image of ones, norms are left out, and with them the network is linear
    in each weight. In float64, since the sum grows exponentially with the depth; 0 has the logarithm -inf.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    weights = [parameter.detach().clone() for parameter in parameters]
    ones = torch.ones_like(probe.images[:1], dtype=torch.float64)
    training = network.training
    network.double().eval()
    try:
        with torch.no_grad():
            for parameter in parameters:
                parameter.abs_()
        with without(network, (Norm, nn.BatchNorm2d, Standardise)):
            gradients = torch.autograd.grad(network(ones).sum(), parameters, allow_unused=True)
        total = sum(
            float((parameter.detach() * gradient).sum())
            for parameter, gradient in zip(parameters, gradients, strict=True)
            if gradient is not None
        )
    finally:
        network.to(probe.images.dtype).train(training)
        with torch.no_grad():
            for parameter, weight in zip(parameters, weights, strict=True):
                parameter.copy_(weight)
    return math.log(total) if total > 0 else -math.inf
