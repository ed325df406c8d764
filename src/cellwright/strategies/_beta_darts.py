"""β-DARTS: Ye et al. 2022, https://arxiv.org/abs/2203.01665."""

import torch
from torch import Tensor

from cellwright.spec import Augment, BetaDartsStrategy
from cellwright.strategies._darts import Darts


class BetaDarts(Darts):
    """DARTS whose alphas are kept small by the smooth maximum of each edge, which keeps skips from taking over.

    Args:
        settings: those of DARTS, and the weight of the regularisation.
        augment: what is done to training images.
        seed: all randomness follows from it.
    """

    def __init__(self, settings: BetaDartsStrategy, augment: Augment, *, seed: int) -> None:
        super().__init__(settings, augment, seed=seed)
        self.beta = settings.beta

    def regularisation(self, epoch: int) -> Tensor:
        """Return the mean log-sum-exp of the edges' alphas, summed over the kinds of cell (equation 15)."""
        smooth_maxima = [alpha.logsumexp(dim=1).mean() for alpha in self.alphas.values()]
        return self.beta * (epoch - 1) / self.budget.epochs * torch.stack(smooth_maxima).sum()
