"""What a network must classify."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageTask:
    """What a network must classify: raw images of C×H×W into `num_classes`, standardised by `mean` and `std`."""

    image_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Standardise(nn.Module):
    """Brings raw pixel values to zero mean and unit variance, so that a model takes what its user has."""

    mean: Tensor
    std: Tensor

    def __init__(self, task: ImageTask) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(task.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(task.std).view(1, -1, 1, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return standardised values."""
        return (x_BCHW - self.mean) / self.std
