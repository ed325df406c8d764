"""DrNAS: Chen et al. 2021, https://arxiv.org/abs/2006.10355, without progressive shrinking."""

import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional

from cellwright.nn.supernet import Active, Mixture
from cellwright.spec import DrnasStrategy
from cellwright.strategies._differentiable import Differentiable


class Drnas(Differentiable):
    """DARTS whose choices are weighed by a draw from a Dirichlet distribution with learnt concentrations.

    The draw is differentiable, and its spread makes the search explore.
    """

    settings: DrnasStrategy
    settings_type = DrnasStrategy

    def concentrations(self) -> dict[str, Tensor]:
        """Return each decision's concentrations, which start near 1: all mixtures alike."""
        return {group: functional.elu(self.alphas[group]) + 1 for group in self.space.decisions}

    def probabilities(self) -> Mixture:
        """Return the mean of each distribution."""
        return {group: rows / rows.sum(dim=1, keepdim=True) for group, rows in self.concentrations().items()}

    def sample(self) -> tuple[Mixture, Active | None]:
        """Draw all mixtures, as normalised gamma variates: torch's Dirichlet takes no generator."""
        mixture = {}
        for group, rows in self.concentrations().items():
            gammas = torch._standard_gamma(rows.cpu(), generator=self.rng).clamp_min(1e-20)
            mixture[group] = (gammas / gammas.sum(dim=1, keepdim=True)).to(self.device)
        return mixture, None

    def regularisation(self) -> Tensor:
        """Return the distance from the uniform distribution, which keeps concentrations from running away."""
        distances = [
            kl_divergence(Dirichlet(rows), Dirichlet(torch.ones_like(rows))).sum()
            for rows in self.concentrations().values()
        ]
        return self.settings.anchor * torch.stack(distances).sum()
