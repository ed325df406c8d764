"""Hydra, the classical baseline: Dempster et al. 2023, https://arxiv.org/abs/2203.13652."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cellwright.tasks.classification import Classification

if TYPE_CHECKING:
    from cellwright.tasks.series.task import Series

GROUPS, KERNELS, LENGTH = 64, 8, 9
MOST_CHANNELS = 8
BATCH = 64


class Hydra:
    """Groups of random kernels compete at each time; the features are how often and how well each fits best.

    Kernels are the same for the same channels and length.

    Args:
        channels: of the series.
        length: of the series, which says how far kernels are dilated.
    """

    def __init__(self, channels: int, length: int) -> None:
        rng = torch.Generator().manual_seed(0)
        most = int(np.log2(max(1, (length - 1) / (LENGTH - 1))))
        self.dilations = [2**power for power in range(most + 1)]
        self.weights, self.reads = [], []
        for _ in range(2 * len(self.dilations)):
            weights = torch.randn(GROUPS // 2, KERNELS, LENGTH, generator=rng)
            weights -= weights.mean(dim=-1, keepdim=True)
            self.weights.append((weights / weights.abs().sum(dim=-1, keepdim=True)).view(-1, 1, LENGTH))
            count = min(MOST_CHANNELS, channels)
            self.reads.append(torch.randint(channels, (GROUPS // 2, count), generator=rng))

    @torch.no_grad()
    def __call__(self, x_BCL: Tensor) -> Tensor:
        """Return features (B, F) of series and of their differences."""
        return torch.cat([self._features(part) for part in torch.split(x_BCL, BATCH)])

    def _features(self, x_BCL: Tensor) -> Tensor:
        found = []
        for index, (weights, reads) in enumerate(zip(self.weights, self.reads, strict=True)):
            dilation = self.dilations[index // 2]
            values = x_BCL.diff(dim=-1) if index % 2 else x_BCL
            read_BGL = values[:, reads].sum(dim=2)
            fits = functional.conv1d(
                read_BGL, weights, padding=(LENGTH - 1) * dilation // 2, dilation=dilation, groups=GROUPS // 2
            ).view(len(values), -1, KERNELS, values.shape[2])
            best, winner = fits.max(dim=2)
            _, loser = fits.min(dim=2)
            counts = torch.zeros(fits.shape[:3])
            found.append(counts.scatter_add(2, winner, best))
            found.append(counts.scatter_add(2, loser, torch.ones_like(best)))
        return torch.cat([part.flatten(1) for part in found], dim=1).clamp(min=0).sqrt()


def build_ridge(task: "Series") -> Any:
    """Return a ridge that is not fitted, with its strength chosen by leaving one out."""
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    strengths = np.logspace(-3, 5, 17)
    kind = RidgeClassifierCV if isinstance(task, Classification) else RidgeCV
    return make_pipeline(StandardScaler(), kind(alphas=strengths))
