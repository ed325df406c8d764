"""DrNAS: Chen et al. 2021, https://arxiv.org/abs/2006.10355, without progressive shrinking."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from cellwright.spaces.supernet import Active, Mixture
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.strategies.one_shot.drnas.section import DrnasSection
from cellwright.training.checkpoint import prefixed, unprefixed

AVERAGED = 0.2
"""Fraction of the search that the averages cover."""


class Drnas(Differentiable):
    """DARTS with mixture weights drawn from Dirichlet distributions, whose concentrations are learnt.

    The draw is differentiable, and its variance makes the search explore. Since it also makes the alphas noisy, the
    result is their moving average: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046.
    """

    settings: DrnasSection

    def begin(self) -> None:
        """Create the averages of the alphas too."""
        super().begin()
        self.averages = {group: self.alphas[group].detach().clone() for group in self.space.decisions}

    def follow_alpha_gradients(self) -> None:
        """After the step, draw the alphas to 0, where all mixtures are equally likely, and update the averages.

        Like the weight decay of AdamW, https://arxiv.org/abs/1711.05101, the anchor is not part of the loss. In a loss
        it would be weighed against gradients whose size depends on the supernet; where they are small, the alphas would
        stay uniform.
        """
        super().follow_alpha_gradients()
        num_steps = self.budget.epochs * (len(self.data.train) // self.batch_size)
        with torch.no_grad():
            for group, average in self.averages.items():
                self.alphas[group].mul_(math.exp(-self.settings.anchor / num_steps))
                average.lerp_(self.alphas[group], min(1.0, 1 / (AVERAGED * num_steps)))

    def concentrations(self, alphas: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the concentrations of each decision, which start near 1, where all mixtures are equally likely."""
        return {group: functional.elu(alphas[group]) + 1 for group in self.space.decisions}

    def probabilities(self) -> Mixture:
        """Return the means of the Dirichlet distributions of the averages."""
        concentrations = self.concentrations(self.averages)
        return {group: rows / rows.sum(dim=1, keepdim=True) for group, rows in concentrations.items()}

    def sample(self) -> tuple[Mixture, Active | None]:
        """Draw all mixtures as normalised gamma variates, since torch's Dirichlet takes no generator."""
        mixture = {}
        for group, rows in self.concentrations(self.alphas).items():
            gammas = torch._standard_gamma(rows.cpu(), generator=self.rng).clamp_min(1e-20)
            mixture[group] = (gammas / gammas.sum(dim=1, keepdim=True)).to(self.device)
        return mixture, None

    def state(self) -> dict[str, Tensor]:
        """Return the averages too."""
        return super().state() | prefixed("averages", self.averages)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        super().restore(state)
        for group, average in unprefixed("averages", state).items():
            self.averages[group].copy_(average)

    def reset_alphas(self) -> None:
        """Reset the averages too."""
        super().reset_alphas()
        for group, average in self.averages.items():
            average.copy_(self.alphas[group].detach())
