"""Drop path: leaving out paths of a network for single examples while it is trained.

Larsson et al. 2017, https://arxiv.org/abs/1605.07648.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Droppable(nn.Module, ABC):
    """A network with paths that can be dropped: edges of cells, branches of residual blocks.

    `forward(*inputs, kept_PB)` takes what `kept_paths` drew; without it, all paths are kept whole.
    """

    @property
    @abstractmethod
    def num_paths(self) -> int:
        """Return how many paths can be dropped."""


def kept_paths(num_paths: int, batch_size: int, rate: float, rng: torch.Generator) -> Tensor:
    """Draw what keeps paths P for examples B with probability 1 - `rate`, scaled so that the mean stays."""
    kept_PB = torch.rand(num_paths, batch_size, device=rng.device, generator=rng) >= rate
    return kept_PB / (1 - rate)


def times_kept(x_BCHW: Tensor, kept_B: Tensor) -> Tensor:
    """Return the map of a path times what its examples are kept by."""
    return x_BCHW * kept_B[:, None, None, None].to(x_BCHW.dtype)
