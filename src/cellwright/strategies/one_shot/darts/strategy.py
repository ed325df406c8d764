"""DARTS: Liu et al. 2019, https://arxiv.org/abs/1806.09055."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cellwright.data.split import Batch
from cellwright.spec import Precision
from cellwright.strategies.one_shot.alphas import frozen
from cellwright.strategies.one_shot.base import StepResult
from cellwright.strategies.one_shot.darts.section import DartsStrategySection
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.training import parallel


class Darts(Differentiable):
    """Weights the choices by a softmax of the alphas, which minimise the validation loss.

    In first order, that loss is evaluated with the current weights. In second order, it is evaluated with the weights
    after their next step, so the gradients include the alphas' effect on the weights (equations 6 to 8).
    """

    settings: DartsStrategySection
    difference = 0.01
    """Step length for the finite difference of second derivatives, as in the paper."""

    @property
    def precision(self) -> Precision:
        """Return float32 for second order, since differences of bfloat16 losses would be mostly rounding errors."""
        return "float32" if self.settings.order == "second" else super().precision

    def step(self, batch: Batch) -> StepResult:
        """Train alphas and weights; in second order, reuse the gradients at the same weights."""
        if self.settings.order == "first" or self.is_warming_up:
            return super().step(batch)
        with frozen(list(self.alphas.values())):
            loss, outputs = self.loss(batch, *self.sample())
        self.backpropagate(loss)
        gradients = self.unrolled_gradients(batch, next(self.validation))
        for alpha, gradient in zip(self.alphas.values(), gradients, strict=True):
            alpha.grad = gradient
        self.alpha_optimizer.step()
        self.follow_gradients()
        return loss.detach(), outputs.detach()

    def unrolled_gradients(self, training: Batch, validation: Batch) -> list[Tensor]:
        """Return the alphas' gradients of the validation loss after the next weight step.

        The weights must hold their gradients on the training batch; they are changed in place and restored. The product
        of the training loss's mixed second derivatives with the validation gradient is approximated by a central
        difference of the alphas' gradients.
        """
        alphas = list(self.alphas.values())
        start = [weight.detach().clone() for weight in self.weights]
        rate: float = self.weight_optimizer.param_groups[0]["lr"]
        self._look_ahead(rate)
        ahead = self._gradients(validation, self.penalty(), [*alphas, *self.weights])
        direct, towards = ahead[: len(alphas)], ahead[len(alphas) :]
        step = self.difference / torch.stack(torch._foreach_norm(towards)).norm()
        sides = []
        with frozen(self.weights):
            for sign in (1, -1):
                self._put(torch._foreach_add(start, torch._foreach_mul(towards, sign * step)))
                sides.append(self._gradients(training, torch.zeros(()), alphas))
        self._put(start)
        return [d - rate * (up - down) / (2 * step) for d, up, down in zip(direct, *sides, strict=True)]

    def _gradients(self, batch: Batch, penalty: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
        loss, _ = self.loss(batch, *self.sample())
        return parallel.averaged(torch.autograd.grad(loss + penalty, parameters))

    @torch.no_grad()
    def _look_ahead(self, rate: float) -> None:
        """Apply the optimizer's next step to the weights, but keep its momentum unchanged."""
        for weight in self.weights:
            assert weight.grad is not None
            momentum = self.weight_optimizer.state[weight].get("momentum_buffer")
            direction = weight.grad + self.settings.weight_decay * weight
            if momentum is not None:
                direction += self.settings.momentum * momentum
            weight.sub_(rate * direction)

    @torch.no_grad()
    def _put(self, values: Sequence[Tensor]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.copy_(value)
