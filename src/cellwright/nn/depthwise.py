"""Depthwise separable convolution, composed of the cases that are fast on a CPU.

oneDNN's forward kernels are fast. Its gradient kernels are fast only without dilation. Those of the weights also need
filters of at most three columns, and all of them need a map at least as large as the filter. Every other case takes
4 to 40 times as long (torch 2.13, AVX-512). Each slow case is replaced by an equivalent fast one:

- taps that lie outside the map for every pixel are omitted;
- stride 2 with dilation 2 reads only every other row and column, where it is a plain convolution;
- with stride 1, the input's gradient is the output's gradient convolved with the weights rotated by 180°;
- dilation 2 is a plain convolution on each of the four maps of every other row and column;
- the weights' gradient for a wide filter is computed three columns at a time;
- a pointwise convolution is a linear layer over pixels, where oneDNN has less overhead and is faster than MKL.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_FAST_COLUMNS = 3

_ONEDNN_LINEAR = (
    torch.ops.mkldnn._linear_pointwise.default
    if torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    else None
)


class Separable(nn.Sequential):
    """An odd-sized depthwise filter, padded so that only the stride changes the map's size, then a 1×1 convolution."""

    def __init__(self, channels: int, size: int, stride: int, dilation: int = 1) -> None:
        padding = dilation * (size - 1) // 2
        super().__init__(
            nn.Conv2d(channels, channels, size, stride, padding, dilation, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
        )
        self.size, self.stride, self.dilation = size, stride, dilation

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the convolved feature map."""
        learns = self.training and torch.is_grad_enabled()
        if not learns or x_BCHW.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            plain: Tensor = super().forward(x_BCHW)  # type: ignore[no-untyped-call]
            return plain
        depthwise: Tensor
        depthwise, pointwise = (convolution.weight for convolution in self)  # type: ignore[assignment]
        size, stride, dilation = self.size, self.stride, self.dilation
        reach = (max(x_BCHW.shape[2:]) - 1) // dilation
        unused = max(0, (size - 1) // 2 - reach)
        taps = slice(unused, size - unused)
        filters = depthwise[:, :, taps, taps] if unused else depthwise
        if stride == 2 and dilation == 2:
            x_BCHW, stride, dilation = x_BCHW[:, :, ::2, ::2], 1, 1
        convolved: Tensor = _FastGradients.apply(x_BCHW, filters, pointwise, stride, dilation)  # type: ignore[no-untyped-call]
        return convolved


class _FastGradients(torch.autograd.Function):
    """Makes few calls, since each costs as much as a pass over a small map."""

    @staticmethod
    def forward(
        ctx: Any, x_BCHW: Tensor, depthwise: Tensor, pointwise: Tensor, stride: int, dilation: int
    ) -> Tensor:
        middle_BHWC = _convolve(x_BCHW, depthwise, stride, dilation).permute(0, 2, 3, 1)
        weight_DC = pointwise.flatten(1)
        kept = middle_BHWC if ctx.needs_input_grad[2] else None
        ctx.save_for_backward(x_BCHW, depthwise, kept, weight_DC)
        ctx.stride, ctx.dilation = stride, dilation
        return _mix(middle_BHWC, weight_DC)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BDHW: Tensor) -> tuple[Tensor | None, ...]:
        x_BCHW, depthwise, middle_BHWC, weight_DC = ctx.saved_tensors
        needs_x, needs_depthwise, needs_pointwise, *_ = ctx.needs_input_grad
        of_x, of_depthwise, of_pointwise = None, None, None
        grad_BHWD = grad_BDHW.permute(0, 2, 3, 1)
        if needs_pointwise:
            of_weight = torch.mm(grad_BHWD.flatten(0, 2).t(), middle_BHWC.flatten(0, 2))
            of_pointwise = of_weight[:, :, None, None]
        grad_BCHW = _mix(grad_BHWD, weight_DC.t())
        if needs_x:
            of_x = _input_gradient(x_BCHW, depthwise, grad_BCHW, ctx.stride, ctx.dilation)
        if needs_depthwise:
            if ctx.dilation == 2:
                x_BCHW, grad_BCHW = _phases(x_BCHW), _phases(grad_BCHW)
            of_depthwise = _weight_gradient(x_BCHW, grad_BCHW, depthwise.shape[2], ctx.stride)
        return of_x, of_depthwise, of_pointwise, None, None


def _mix(x_BHWC: Tensor, weight_DC: Tensor) -> Tensor:
    """Return the linear map of each pixel's channels to D channels, (B, D, H, W)."""
    mixed_BHWD: Tensor
    if _ONEDNN_LINEAR is not None and x_BHWC.dtype == torch.float32:
        mixed_BHWD = _ONEDNN_LINEAR(x_BHWC, weight_DC, None, "none", [], None)
    else:
        mixed_BHWD = functional.linear(x_BHWC, weight_DC)
    return mixed_BHWD.permute(0, 3, 1, 2)


def _convolve(x_BCHW: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[2] - 1) // 2
    return torch.conv2d(x_BCHW, weight, None, stride, padding, dilation, weight.shape[0])


def _input_gradient(x_BCHW: Tensor, weight: Tensor, grad_BCHW: Tensor, stride: int, dilation: int) -> Tensor:
    if stride == 1:
        return _convolve(grad_BCHW, weight.flip(2, 3), 1, dilation)
    padding = dilation * (weight.shape[2] - 1) // 2
    return _torch_gradient(x_BCHW, weight, grad_BCHW, stride, (padding, padding), of_weight=False)


def _weight_gradient(x_BCHW: Tensor, grad_BCHW: Tensor, size: int, stride: int) -> Tensor:
    """Return the gradient of an undilated filter, computed a few columns at a time."""
    around = (size - 1) // 2
    rows = (
        0 if grad_BCHW.shape[2] >= size else around
    )  # the fast kernel needs at least as many rows as the filter
    if size <= _FAST_COLUMNS and not rows:
        empty = x_BCHW.new_empty(x_BCHW.shape[1], 1, size, size)
        return _torch_gradient(x_BCHW, empty, grad_BCHW, stride, (around, around), of_weight=True)
    padded = functional.pad(x_BCHW, (around, around, rows, rows))
    span = (grad_BCHW.shape[3] - 1) * stride
    parts = []
    for first in range(0, size, _FAST_COLUMNS):
        columns = min(_FAST_COLUMNS, size - first)
        empty = x_BCHW.new_empty(x_BCHW.shape[1], 1, size, columns)
        seen = padded[:, :, :, first : first + span + columns]
        parts.append(_torch_gradient(seen, empty, grad_BCHW, stride, (around - rows, 0), of_weight=True))
    return torch.cat(parts, dim=3)


def _phases(x_BCHW: Tensor) -> Tensor:
    """Return the maps of even and odd rows and columns, (4B, C, H/2, W/2); odd sizes are padded with zeros."""
    batch, channels, height, width = x_BCHW.shape
    if height % 2 or width % 2:
        x_BCHW = functional.pad(x_BCHW, (0, width % 2, 0, height % 2))
        batch, channels, height, width = x_BCHW.shape
    apart = x_BCHW.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(3, 5, 0, 2, 4, 1)
    return apart.reshape(4 * batch, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def _torch_gradient(
    x_BCHW: Tensor,
    weight: Tensor,
    grad_BCHW: Tensor,
    stride: int,
    padding: tuple[int, int],
    *,
    of_weight: bool,
) -> Tensor:
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward.default(
        grad_BCHW,
        x_BCHW,
        weight,
        None,
        (stride, stride),
        padding,
        (1, 1),
        False,
        (0, 0),
        weight.shape[0],
        (not of_weight, of_weight, False),
    )
    return found[of_weight]
