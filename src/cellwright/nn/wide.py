"""Computes primitives of the same kind on several edges from one source as one wide primitive.

In a small supernet, a GPU mostly waits for kernel launches, and this reduces their number. On a CPU, wide
convolutions are slower than several narrow ones (`is_worthwhile`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.nn.primitives import Convolutions, Norm, Primitive


def is_worthwhile(x_BCHW: Tensor) -> bool:
    """Return whether wide primitives are faster on the device."""
    return x_BCHW.device.type == "cuda"


def wide_outputs(factors: Mapping[Primitive, Tensor | None], x_BCHW: Tensor) -> dict[Primitive, Tensor]:
    """Return the outputs of those primitives that share their kind with another one.

    The outputs share memory, but may be overwritten.

    Args:
        factors: the factor of each output channel (C) of each primitive; None for 1.
        x_BCHW: the feature map after ReLU, which all of them read.
    """
    kinds = defaultdict(list)
    for primitive in factors:
        if isinstance(primitive, Convolutions) and primitive.kind is not None:
            kinds[primitive.kind].append(primitive)
    outputs: dict[Primitive, Tensor] = {}
    for similar in kinds.values():
        if len(similar) > 1:
            given = [factor_C for primitive in similar if (factor_C := factors[primitive]) is not None]
            joined_BCHW = _widely([p.layers for p in similar], x_BCHW, torch.cat(given) if given else None)
            outputs |= zip(similar, joined_BCHW.unsafe_chunk(len(similar), dim=1), strict=True)
    return outputs


def _widely(layers: Sequence[nn.Module], x_BCHW: Tensor, factor_C: Tensor | None = None) -> Tensor:
    """Return the outputs of layers of the same kind, concatenated along the channels.

    Args:
        layers: one layer for each edge.
        x_BCHW: one map that all layers read, or one map for each layer, concatenated along the channels.
        factor_C: factor of each output channel, applied by the norm that ends a stack.
    """
    match layers[0]:
        case nn.Sequential():
            *before, last = zip(*layers, strict=True)
            for several in before:
                x_BCHW = _widely(several, x_BCHW)
            return _widely(last, x_BCHW, factor_C)
        case nn.Conv2d() as first:
            groups = first.groups * len(layers)
            if x_BCHW.shape[1] == first.in_channels:
                if first.groups == 1:
                    groups = 1
                else:
                    x_BCHW = x_BCHW.repeat(1, len(layers), 1, 1)
            return functional.conv2d(
                x_BCHW, _joined(layers, "weight"), None, first.stride, first.padding, first.dilation, groups
            )
        case Norm() as first:
            return _standardised(first, layers, x_BCHW, factor_C)
        case several:
            output: Tensor = several(x_BCHW)
            return output


def _standardised(first: Norm, norms: Sequence[nn.Module], x_BCHW: Tensor, factor_C: Tensor | None) -> Tensor:
    mean, variance = _joined(norms, "running_mean"), _joined(norms, "running_var")
    output = functional.batch_norm(
        x_BCHW, mean, variance, factor_C, None, first.training, first.momentum, first.eps
    )
    if first.training:
        for name, joined in (("running_mean", mean), ("running_var", variance)):
            torch._foreach_copy_([getattr(norm, name) for norm in norms], joined.chunk(len(norms)))
    return output


def _joined(layers: Sequence[nn.Module], name: str) -> Tensor:
    return torch.cat([getattr(layer, name) for layer in layers])
