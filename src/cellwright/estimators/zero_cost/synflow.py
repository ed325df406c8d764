"""SynFlow: Tanaka et al. 2020, https://arxiv.org/abs/2006.05467; as a proxy, https://arxiv.org/abs/2101.08134."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.estimators.zero_cost.probe import Probe, without
from cellwright.nn.primitives import Norm


def synflow(network: nn.Module, probe: Probe) -> float:
    """Return the logarithm of the summed products of weights and gradients in a network of absolute weights.

    The loss is the sum of the outputs for a map of ones, which replaces the adapter's output. Norms are removed, which
    makes the network linear in each weight. Computed in float64, since the sum grows exponentially with depth; its
    logarithm is -inf if it is 0.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    weights = [parameter.detach().clone() for parameter in parameters]
    inputs = [tensor[:1].double() if tensor.is_floating_point() else tensor[:1] for tensor in probe.inputs]
    adapter = network.get_submodule("adapter").register_forward_hook(_ones)
    dtype, training = parameters[0].dtype, network.training
    network.double().eval()
    try:
        with torch.no_grad():
            for parameter in parameters:
                parameter.abs_()
        with without(network, (Norm, nn.BatchNorm2d)):
            gradients = torch.autograd.grad(network(*inputs).sum(), parameters, allow_unused=True)
        total = sum(
            float((parameter.detach() * gradient).sum())
            for parameter, gradient in zip(parameters, gradients, strict=True)
            if gradient is not None
        )
    finally:
        adapter.remove()
        network.to(dtype).train(training)
        with torch.no_grad():
            for parameter, weight in zip(parameters, weights, strict=True):
                parameter.copy_(weight)
    return math.log(total) if total > 0 else -math.inf


def _ones(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return torch.ones_like(output)
