"""Two 1×1 convolutions with stride 2, the second shifted by one pixel, as one function that is fast on a CPU.

Each convolution reads a quarter of the pixels, as the rows of a matrix product. If they were convolutions of slices,
most of the time would go to the gradients of pixels that neither reads.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

PHASES = (slice(0, None, 2), slice(1, None, 2))
"""The rows and columns that the two convolutions read."""


def halve(x_BCHW: Tensor, even: Tensor, odd: Tensor, learns: bool) -> Tensor:
    """Return the outputs of both convolutions, concatenated along the channels; odd sizes are rounded up.

    Args:
        x_BCHW: the feature map; pixels outside are 0.
        even: weight of the first convolution (E, C, 1, 1).
        odd: weight of the second convolution (D, C, 1, 1).
        learns: whether gradients are needed.
    """
    if learns and x_BCHW.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        halved: Tensor = _Halve.apply(x_BCHW, even, odd)  # type: ignore[no-untyped-call]
        return halved
    height, width = x_BCHW.shape[2:]
    shifted = functional.pad(x_BCHW, (0, width % 2, 0, height % 2))[:, :, 1:, 1:]
    return torch.cat(
        [functional.conv2d(x_BCHW, even, stride=2), functional.conv2d(shifted, odd, stride=2)], dim=1
    )


class _Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, even: Tensor, odd: Tensor) -> Tensor:
        x_BHWC = x_BCHW.permute(0, 2, 3, 1)
        read = [x_BHWC[:, phase, phase].contiguous() for phase in PHASES]
        batch, height, width, _ = read[0].shape
        output_BHWC = x_BCHW.new_empty(batch, height, width, len(even) + len(odd))
        for part, pixels_BHWC, weight in zip(_parts(output_BHWC, even), read, (even, odd), strict=True):
            rows, columns = pixels_BHWC.shape[1:3]
            part[:, :rows, :columns] = pixels_BHWC @ weight.flatten(1).t()
            part[:, rows:] = 0
            part[:, :rows, columns:] = 0
        ctx.save_for_backward(even, odd, *(read if any(ctx.needs_input_grad[1:]) else ()))
        ctx.shape = x_BHWC.shape
        return output_BHWC.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BCHW: Tensor) -> tuple[Tensor | None, ...]:
        even, odd, *read = ctx.saved_tensors
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = grad_BCHW.new_zeros(ctx.shape)
        of_weights: list[Tensor | None] = [None, None]
        parts = _parts(grad_BCHW.permute(0, 2, 3, 1), even)
        for index, (part, phase, weight) in enumerate(zip(parts, PHASES, (even, odd), strict=True)):
            rows, columns = (len(range(side)[phase]) for side in ctx.shape[1:3])
            seen = part[:, :rows, :columns]
            if of_x is not None:
                of_x[:, phase, phase] = seen @ weight.flatten(1)
            if ctx.needs_input_grad[1 + index]:
                of_weights[index] = (seen.flatten(0, 2).t() @ read[index].flatten(0, 2)).view_as(weight)
        return None if of_x is None else of_x.permute(0, 3, 1, 2), *of_weights


def _parts(x_BHWC: Tensor, even: Tensor) -> tuple[Tensor, Tensor]:
    """Return the channels of the first convolution, and those of the second."""
    return x_BHWC[..., : len(even)], x_BHWC[..., len(even) :]
