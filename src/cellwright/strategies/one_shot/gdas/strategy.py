"""GDAS: Dong and Yang 2019, https://arxiv.org/abs/1910.04465."""

import torch
from torch import Tensor
from torch.nn import functional

from cellwright.spaces.supernet import Active, Mixture
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.strategies.one_shot.gdas.section import GdasSection


class Gdas(Differentiable):
    """DARTS that draws one choice of each decision from the softmax, and computes only that choice.

    The draw is a Gumbel softmax: one-hot in the forward pass, soft in the backward pass. Its temperature decreases with
    the epochs.
    """

    settings: GdasSection

    def sample(self) -> tuple[Mixture, Active | None]:
        """Draw one choice for each decision."""
        mixture, active = {}, {}
        for group in self.space.decisions:
            logits = self.alphas[group].log_softmax(dim=1)
            uniform = torch.rand(logits.shape, generator=self.rng).clamp_min(1e-20).to(self.device)
            soft = ((logits - (-uniform.log()).log()) / self.temperature).softmax(dim=1)
            hard = _one_hot(soft)
            mixture[group] = hard + (soft - soft.detach())
            active[group] = [(choice,) for choice in hard.argmax(dim=1).tolist()]
        return mixture, active

    def representative(self) -> tuple[Mixture, Active | None]:
        """Return the most likely choice of each decision, since the weights were not trained in mixtures."""
        mixture = {group: _one_hot(rows) for group, rows in self.probabilities().items()}
        return mixture, {
            group: [(c,) for c in rows.argmax(dim=1).tolist()] for group, rows in mixture.items()
        }

    @property
    def temperature(self) -> float:
        """Return the temperature of the current epoch."""
        done = (self.epoch - 1) / max(1, self.budget.epochs - 1)
        first, last = self.settings.first_temperature, self.settings.last_temperature
        return first + (last - first) * done


def _one_hot(rows: Tensor) -> Tensor:
    return functional.one_hot(rows.argmax(dim=1), rows.shape[1]).to(rows.dtype)
