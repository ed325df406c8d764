"""β-DARTS: Ye et al. 2022, https://arxiv.org/abs/2203.01665."""

from torch import Tensor

from cellwright.strategies.one_shot.alphas import smooth_maximum
from cellwright.strategies.one_shot.beta_darts.section import BetaDartsSection
from cellwright.strategies.one_shot.differentiable import Differentiable


class BetaDarts(Differentiable):
    """DARTS with a penalty on the smooth maximum of the alphas, which prevents skips from dominating."""

    settings: BetaDartsSection

    def regularisation(self) -> Tensor:
        """Return the smooth maximum with a weight that grows linearly from 0."""
        weight = self.settings.beta * (self.epoch - 1) / self.budget.epochs
        return weight * smooth_maximum([self.alphas[group] for group in self.space.decisions])
