"""Networks that people know, as designs of stages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cellwright.spaces.stages.design import Design, Stage
from cellwright.spaces.stages.section import Block, Stem


def small(side: int) -> Mapping[str, Design]:
    """Return networks designed by hand for small images, about the best known for a CPU first.

    Args:
        side: the shorter side of the feature map that the adapter gives, in pixels. They are made for about 32; for
            larger ones the stems halve more often.
    """
    return {name: _for_side(design, side) for name, design in SMALL.items()}


def conv_pool_conv(*widths: int) -> Design:
    """Return groups of two convolutions with a pooling after the first, as in https://arxiv.org/abs/2404.00498."""
    return Design(
        stem="conv2",
        stem_width=16,
        halving="max",
        activation="gelu",
        pooling="max",
        stages=stages("plain", widths, (1,) * len(widths), (2,) * len(widths)),
    )


def resnet(channels: int, depths: Sequence[int] = (2, 2, 2)) -> Design:
    """Return a ResNet for small images, whose stages double the channels: https://arxiv.org/abs/1512.03385."""
    widths = [channels * 2**index for index in range(len(depths))]
    strides = [1, *(2 for _ in depths[1:])]
    return Design(stem_width=channels, stages=stages("basic", widths, depths, strides))


def wide_resnet(depth: int, factor: int) -> Design:
    """Return WRN-depth-factor: https://arxiv.org/abs/1605.07146."""
    widths = [16 * factor * 2**index for index in range(3)]
    blocks = (depth - 4) // 6
    return Design(stem_width=16, stages=stages("pre-activation", widths, (blocks,) * 3, (1, 2, 2)))


def stages(
    block: Block, widths: Sequence[int], depths: Sequence[int], strides: Sequence[int]
) -> tuple[Stage, ...]:
    """Return stages of one kind."""
    return tuple(
        Stage(block=block, width=width, depth=depth, stride=stride)
        for width, depth, stride in zip(widths, depths, strides, strict=True)
    )


SMALL: dict[str, Design] = {
    "conv-pool-conv 32-96-128": conv_pool_conv(32, 96, 128),
    "conv-pool-conv 24-64-96": conv_pool_conv(24, 64, 96),
    "conv-pool-conv 48-128-192": conv_pool_conv(48, 128, 192),
    "conv-pool-conv 64-192-256": conv_pool_conv(64, 192, 256),
    "shallow ResNet": Design(
        stem="conv3-2", stem_width=32, stages=stages("basic", (32, 64, 128), (1, 1, 1), (1, 2, 2))
    ),
    "ResNet-9": Design(
        stem_width=16, pooling="max", stages=stages("pooled", (32, 64, 128), (2, 1, 2), (2, 2, 2))
    ),
    "ResNet-14": resnet(16),
    "WideResNet-10-2": wide_resnet(10, 2),
    "MobileNetV2": Design(
        stem="conv3-2",
        stem_width=16,
        activation="relu6",
        last=256,
        stages=(
            Stage(block="mbconv", width=16),
            Stage(block="mbconv", width=24, depth=2, expansion=6),
            Stage(block="mbconv", width=32, depth=2, expansion=6, stride=2),
            Stage(block="mbconv", width=64, depth=2, expansion=6, stride=2),
        ),
    ),
    "EfficientNetV2": Design(
        stem="conv3-2",
        stem_width=16,
        activation="silu",
        last=256,
        stages=(
            Stage(block="fused-mbconv", width=16),
            Stage(block="fused-mbconv", width=32, depth=2, expansion=4),
            Stage(block="fused-mbconv", width=48, depth=2, expansion=4, stride=2),
            Stage(block="mbconv", width=96, depth=2, expansion=4, stride=2),
        ),
    ),
    "ConvNeXt": Design(
        stem="patch2",
        stem_width=32,
        activation="gelu",
        stages=tuple(
            Stage(block="convnext", width=width, depth=2, kernel=7, expansion=4, stride=stride)
            for width, stride in ((32, 1), (64, 2), (128, 2))
        ),
    ),
}

HALVINGS: Mapping[Stem, int] = {"conv2": 0, "conv3": 0, "conv3-2": 1, "patch2": 1, "conv7-4": 2, "patch4": 2}
"""How often stems halve the sides."""


def _for_side(design: Design, side: int) -> Design:
    """Return the design with a stem that brings larger images nearer to the size that it is made for."""
    halvings = HALVINGS[design.stem] + max(0, round(math.log2(side / MADE_FOR)))
    if halvings == HALVINGS[design.stem]:
        return design
    stems: Sequence[Stem] = ("patch2", "patch4") if design.stem == "patch2" else ("conv3-2", "conv7-4")
    return replace(design, stem=stems[min(halvings, 2) - 1])


MADE_FOR = 32
