"""Mixup: Zhang et al. 2018, https://arxiv.org/abs/1710.09412."""

import torch
from torch import Tensor

from cellwright.data.split import Inputs
from cellwright.errors import CellwrightError


def mix_up(inputs: Inputs, targets: Tensor, alpha: float, rng: torch.Generator) -> tuple[Inputs, Tensor]:
    """Return inputs and soft targets mixed with those of the shuffled batch.

    The fraction is drawn from Beta(alpha, alpha) once for the batch; with `alpha` 0, nothing is mixed.

    Raises:
        CellwrightError: the inputs cannot be averaged.
    """
    if not alpha:
        return inputs, targets
    if not all(tensor.is_floating_point() for tensor in inputs):
        raise CellwrightError(f"retrain.mixup must be 0 where inputs are whole numbers, got {alpha:g}")
    share = _beta(alpha, rng)
    order = torch.randperm(len(targets), generator=rng, device=targets.device)
    mixed = tuple(torch.lerp(tensor[order], tensor, share) for tensor in inputs)
    return mixed, torch.lerp(targets[order], targets, share)


def _beta(alpha: float, rng: torch.Generator) -> float:
    """Draw from Beta(alpha, alpha) as a ratio of gamma variates, using only this generator."""
    shape = torch.full((2,), alpha, device=rng.device)
    first, second = torch._standard_gamma(shape, generator=rng).tolist()
    return float(first / (first + second)) if first + second > 0 else 0.5
