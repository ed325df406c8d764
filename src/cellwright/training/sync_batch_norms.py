"""Batch norms with the statistics of a batch that several processes share, on the CPU too, unlike PyTorch's own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Total = Callable[[Tensor], Tensor]
"""Sums a tensor over the processes."""


class SyncBatchNorms(TorchFunctionMode):
    """While active, every `batch_norm` in training mode uses the statistics of the whole batch."""

    def __init__(self, total: Total) -> None:
        super().__init__()
        self.total = total

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Replace `batch_norm`; pass other functions through."""
        if func is functional.batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        x_BC: Tensor,
        running_mean_C: Tensor | None,
        running_var_C: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """Like torch's `batch_norm`; the map may have any number of dimensions after C."""
        if not training:
            return functional.batch_norm(
                x_BC, running_mean_C, running_var_C, weight, bias, training, momentum, eps
            )
        with torch.no_grad():
            mean_C, variance_C, count = self._statistics(x_BC)
            if running_mean_C is not None and running_var_C is not None:
                running_mean_C.lerp_(mean_C.to(running_mean_C.dtype), momentum)
                unbiased_C = variance_C * count / (count - 1)
                running_var_C.lerp_(unbiased_C.to(running_var_C.dtype), momentum)
        output: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
            x_BC, weight, bias, mean_C, variance_C, count, eps, self.total
        )
        return output

    def _statistics(self, x_BC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, biased variance and number of values of the whole batch, combined in float64."""
        x_BC = x_BC.to(_statistics_type(x_BC))
        mean_C, variance_C = (part.double() for part in torch.batch_norm_update_stats(x_BC, None, None, 0.0))
        sums = torch.cat([mean_C, variance_C + mean_C.square(), mean_C.new_ones(1)])
        sums = self.total(sums * (x_BC.numel() // x_BC.shape[1]))
        count = sums[-1]
        mean_C, square_C = (sums[:-1] / count).chunk(2)
        return mean_C, (square_C - mean_C.square()).clamp_min(0), count


class _Normalise(torch.autograd.Function):
    """Normalises with given statistics; the gradient accounts for their dependence on the inputs."""

    @staticmethod
    def forward(
        ctx: Any,
        x_BC: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean_C: Tensor,
        variance_C: Tensor,
        count: Tensor,
        eps: float,
        total: Total,
    ) -> Tensor:
        dtype = _statistics_type(x_BC)
        mean_C, variance_C = mean_C.to(dtype), variance_C.to(dtype)
        ctx.save_for_backward(x_BC, weight, mean_C, variance_C, count)
        ctx.eps, ctx.total = eps, total
        return functional.batch_norm(x_BC, mean_C, variance_C, weight, bias, training=False, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BC: Tensor) -> tuple[Tensor | None, ...]:
        x_BC, weight, mean_C, variance_C, count = ctx.saved_tensors
        scale_C = torch.ones_like(mean_C) if weight is None else weight
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            grad_BC, x_BC, scale_C, mean_C, variance_C, None, None, False, ctx.eps, [True, True, True]
        )
        if ctx.needs_input_grad[0]:
            sums = ctx.total(torch.cat([of_weight, of_bias]).double()) / count
            along_C, mean_grad_C = (part.to(mean_C.dtype) for part in sums.chunk(2))
            deviation_C = (variance_C + ctx.eps).rsqrt()
            slope_C = -scale_C * deviation_C.square() * along_C
            offset_C = -scale_C * deviation_C * mean_grad_C - slope_C * mean_C
            shape = (-1,) + (1,) * (x_BC.ndim - 2)
            of_x = of_x.addcmul_(x_BC, slope_C.view(shape)).add_(offset_C.view(shape))
        of_weight = of_weight if ctx.needs_input_grad[1] else None
        of_bias = of_bias if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias, None, None, None, None, None


def _statistics_type(x_BC: Tensor) -> torch.dtype:
    return x_BC.dtype if x_BC.dtype == torch.float64 else torch.float32
