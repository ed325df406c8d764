"""Drop path: removes random paths of a network for single examples during training.

Larsson et al. 2017, https://arxiv.org/abs/1605.07648.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Droppable(nn.Module, ABC):
    """A network with paths that can be dropped: edges of cells, or branches of residual blocks.

    `forward(*inputs, kept_PB)` takes the output of `kept_paths`; without it, all paths are kept.
    """

    @property
    @abstractmethod
    def num_paths(self) -> int:
        """Return the number of paths that can be dropped."""


def kept_paths(num_paths: int, batch_size: int, rate: float, rng: torch.Generator) -> Tensor:
    """Draw factors for P paths and B examples: 0 with probability `rate`, otherwise scaled to keep the mean at 1."""
    kept_PB = torch.rand(num_paths, batch_size, device=rng.device, generator=rng) >= rate
    return kept_PB / (1 - rate)


def times_kept(x_BCHW: Tensor, kept_B: Tensor) -> Tensor:
    """Return the feature map of a path times the factor of each example."""
    return x_BCHW * kept_B[:, None, None, None].to(x_BCHW.dtype)
