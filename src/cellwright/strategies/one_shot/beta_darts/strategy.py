"""β-DARTS: Ye et al. 2022, https://arxiv.org/abs/2203.01665."""

from torch import Tensor

from cellwright.strategies.one_shot.alphas import smooth_maximum
from cellwright.strategies.one_shot.beta_darts.section import BetaDartsSection
from cellwright.strategies.one_shot.differentiable import Differentiable


class BetaDarts(Differentiable):
    """DARTS whose alphas are kept small by their smooth maximum, which keeps skips from taking over."""

    settings: BetaDartsSection

    def regularisation(self) -> Tensor:
        """Return the smooth maximum, with a weight that grows from 0 in proportion to the epoch."""
        weight = self.settings.beta * (self.epoch - 1) / self.budget.epochs
        return weight * smooth_maximum([self.alphas[group] for group in self.space.decisions])
