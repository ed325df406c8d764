"""Modules that can run narrower than they were built, with the leading slices of their weights."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.func import functional_call


def leading(tensor: Tensor, *sizes: int) -> Tensor:
    """Return the leading elements along the first dimensions; the tensor itself if that is all of it."""
    if tensor.shape[: len(sizes)] == sizes:
        return tensor
    return tensor[tuple(map(slice, sizes))]


class Slimmable(nn.Module):
    """A module built for the widest feature map, which handles narrower maps with slices of its weights and statistics.

    The map's number of channels selects the slices. Channels are not masked: only the slices are computed, and the
    result is exactly that of a module built for that width.

    Args:
        build: builds the module for a number of channels.
        widths: all numbers of channels that the module must handle.
    """

    def __init__(self, build: Callable[[int], nn.Module], widths: Iterable[int]) -> None:
        super().__init__()
        widest, *narrower = sorted(set(widths), reverse=True)
        self.widest = build(widest)
        with torch.device("meta"):
            self._shapes_of = {width: _Shape(build(width), self.widest) for width in narrower}

    def forward(self, x_BCHW: Tensor, *others: Tensor) -> Tensor:
        """Return the output of the module for the map's number of channels; other arguments are passed on."""
        shape = self._shapes_of.get(x_BCHW.shape[1])
        if shape is None:
            output: Tensor = self.widest(x_BCHW, *others)
            return output
        return shape.call(self.widest, x_BCHW, *others)


def _norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    return [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]


class _Shape:
    """A module without its own weights. Not an nn.Module, so that its parent does not register it as a child."""

    def __init__(self, module: nn.Module, widest: nn.Module) -> None:
        self.module = module
        self.norms = list(zip(_norms(module), _norms(widest), strict=True))
        self.sizes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}

    def call(self, widest: nn.Module, *arguments: Tensor) -> Tensor:
        """Return the module's output, computed with the leading slices of the widest module's weights."""
        self.module.train(widest.training)
        for norm, widest_norm in self.norms:
            norm.momentum = widest_norm.momentum
        tensors = dict(widest.named_parameters()) | dict(widest.named_buffers())
        sliced = {name: leading(tensors[name], *sizes) for name, sizes in self.sizes.items()}
        output: Tensor = functional_call(self.module, sliced, arguments)
        return output
