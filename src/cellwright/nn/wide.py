"""Primitives of one kind on several edges from one source, computed as one wide primitive.

A small supernet keeps a GPU waiting for the launches of its kernels, which are fewer this way. A CPU is slower with
wide convolutions than with several narrow ones (`pays`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.nn.primitives import Convolutions, Norm, Primitive


def pays(x_BCHW: Tensor) -> bool:
    """Return whether wide primitives are faster on the device."""
    return x_BCHW.device.type == "cuda"


def wide_outputs(factors: Mapping[Primitive, Tensor | None], x_BCHW: Tensor) -> dict[Primitive, Tensor]:
    """Return what those of the primitives give of which there are several of a kind.

    The outputs share memory, but may be written to.

    Args:
        factors: of each channel (C) of each primitive's output; None for 1.
        x_BCHW: the rectified map that all of them read.
    """
    kinds = defaultdict(list)
    for primitive in factors:
        if isinstance(primitive, Convolutions) and primitive.kind is not None:
            kinds[primitive.kind].append(primitive)
    outputs: dict[Primitive, Tensor] = {}
    for alike in kinds.values():
        if len(alike) > 1:
            given = [factor_C for primitive in alike if (factor_C := factors[primitive]) is not None]
            joined_BCHW = _widely([p.layers for p in alike], x_BCHW, torch.cat(given) if given else None)
            outputs |= zip(alike, joined_BCHW.unsafe_chunk(len(alike), dim=1), strict=True)
    return outputs


def _widely(layers: Sequence[nn.Module], x_BCHW: Tensor, factor_C: Tensor | None = None) -> Tensor:
    """Return the outputs of like layers, one after another along the channels.

    Args:
        layers: as many as edges.
        x_BCHW: one map that all of them read, or one for each along the channels.
        factor_C: of each output's channels, by way of the norm that ends a stack.
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
