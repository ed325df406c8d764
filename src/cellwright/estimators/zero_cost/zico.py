"""ZiCo: Li et al. 2023, https://arxiv.org/abs/2301.11300."""

import torch
from torch import nn

from cellwright.estimators.zero_cost.probe import Probe

NUM_BATCHES = 2


def zico(network: nn.Module, probe: Probe) -> float:
    """Return the sum over layers of log Σ E|g| / √Var|g|, where the inner sum is over the layer's weights.

    Mean and variance of a weight's gradient are over two halves of the examples. Layers are convolutions and linear
    layers. Weights with the same gradient in both halves are skipped.
    """
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    gradients = [
        torch.autograd.grad(probe.task.loss(network(*inputs), targets), weights, allow_unused=True)
        for *inputs, targets in zip(
            *(tensor.chunk(NUM_BATCHES) for tensor in (*probe.inputs, probe.targets)), strict=True
        )
    ]
    total = 0.0
    for of_layer in zip(*gradients, strict=True):
        if of_layer[0] is None:
            continue
        size = torch.stack(of_layer).double().abs()
        spread = size.std(dim=0, correction=0)
        ratios = (size.mean(dim=0) / spread)[spread > 0]
        if len(ratios):
            total += float(ratios.sum().log())
    return total
