"""The proxies of AZ-NAS: Lee & Ham 2024, https://arxiv.org/abs/2403.19232."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.estimators.zero_cost.probe import Probe, block_maps


def expressivity(network: nn.Module, probe: Probe) -> float:
    """Return the sum over blocks of the entropy of the principal components of their features."""
    return sum(_entropies(network, probe))


def progressivity(network: nn.Module, probe: Probe) -> float:
    """Return the smallest increase of that entropy from one block to the next."""
    entropies = _entropies(network, probe)
    return min(
        (later - earlier for earlier, later in zip(entropies, entropies[1:], strict=False)), default=0.0
    )


def trainability(network: nn.Module, probe: Probe) -> float:
    """Return the mean over blocks of 2 - σ - 1/σ, at most 0, where σ is the spectral norm of a block's Jacobian.

    It is the Jacobian between channels: with random signs as the gradient at the block's output, it is the mean over
    positions of the products of these signs and the gradients at the block's input.
    """
    maps = block_maps(network, probe.inputs)
    scores = [_gain_score(before, after, probe.rng) for before, after in zip(maps, maps[1:], strict=False)]
    return sum(scores) / len(scores) if scores else 0.0


def _entropies(network: nn.Module, probe: Probe) -> list[float]:
    with torch.no_grad():
        return [_entropy(x_BCHW) for x_BCHW in block_maps(network, probe.inputs)]


def _entropy(x_BCHW: Tensor) -> float:
    features_NC = x_BCHW.permute(0, 2, 3, 1).flatten(0, 2)
    centred_NC = features_NC - features_NC.mean(dim=0)
    variances_C = torch.linalg.eigvalsh(centred_NC.T @ centred_NC / len(centred_NC)).clamp(min=0)
    total = variances_C.sum()
    return float(torch.special.entr(variances_C / total).sum()) if total > 0 else 0.0


def _gain_score(before: Tensor, after: Tensor, rng: torch.Generator) -> float:
    signs = 2.0 * torch.randint(2, after.shape, generator=rng).to(after) - 1
    (gradient,) = torch.autograd.grad(
        after, before, signs, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    if gradient.equal(signs):
        return -math.inf
    into_NC, out_NC = (x.permute(0, 2, 3, 1).flatten(0, 2) for x in (_at_size_of(after, gradient), signs))
    norm = float(torch.linalg.matrix_norm(into_NC.T @ out_NC / len(out_NC), 2))
    return 2 - norm - 1 / (norm + 1e-6)


def _at_size_of(after: Tensor, gradient: Tensor) -> Tensor:
    """Move positions that are merged into channels, padding with zeros where sizes were rounded up."""
    (height, width), (rows, columns) = gradient.shape[2:], after.shape[2:]
    factor = math.ceil(height / rows)
    padded = functional.pad(gradient, (0, columns * factor - width, 0, rows * factor - height))
    return functional.pixel_unshuffle(padded, factor)
