"""Well-known networks, as designs of stages."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cellwright.spaces.stages.design import Design, Stage
from cellwright.spaces.stages.section import Activation, Block, Stem


def small(side: int) -> Mapping[str, Design]:
    """Return hand-designed networks for small images, about the best known for a CPU first.

    Args:
        side: the longer side of the adapter's feature map, in pixels. The networks are designed for about 32; for
            larger maps, the stems halve the size more often.
    """
    return {name: _for_side(design, side) for name, design in SMALL.items()}


def of_size(design: Design, size: Callable[[Design], int], wanted: int) -> Design:
    """Return the design, scaled in width so that its size is as close as possible to the one wanted.

    Args:
        design: all its widths are scaled, and rounded so that the narrowest is a whole number.
        size: a function that increases with the widths.
        wanted: the desired value of `size`.
    """
    narrowest = min(design.stem_width, *(stage.width for stage in design.stages))

    def scaled(width: int) -> Design:
        return design.sized(width / narrowest, multiple=1)

    width = 1
    while size(scaled(width + 1)) < wanted:
        width += 1
    return min(scaled(width), scaled(width + 1), key=lambda one: abs(size(one) - wanted))


def conv_pool_conv(*widths: int) -> Design:
    """Return groups of two convolutions with pooling after the first, as in https://arxiv.org/abs/2404.00498."""
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


def efficientnet(activation: Activation, squeeze: float) -> Design:
    """Return the smallest EfficientNet, https://arxiv.org/abs/1905.11946, or its Lite variant."""
    numbers = (  # width, depth, kernel, expansion, stride
        (16, 1, 3, 1, 1),
        (24, 2, 3, 6, 2),
        (40, 2, 5, 6, 2),
        (80, 3, 3, 6, 2),
        (112, 3, 5, 6, 1),
        (192, 4, 5, 6, 2),
        (320, 1, 3, 6, 1),
    )
    return Design(
        stem="conv3-2",
        stem_width=32,
        activation=activation,
        last=1280,
        stages=tuple(
            Stage(
                block="mbconv",
                width=width,
                depth=depth,
                kernel=kernel,
                expansion=expansion,
                stride=stride,
                squeeze=squeeze,
            )
            for width, depth, kernel, expansion, stride in numbers
        ),
    )


def stages(
    block: Block, widths: Sequence[int], depths: Sequence[int], strides: Sequence[int], **same: Any
) -> tuple[Stage, ...]:
    """Return stages with the same block; `same` has the values that all stages share."""
    return tuple(
        Stage(block=block, width=width, depth=depth, stride=stride, **same)
        for width, depth, stride in zip(widths, depths, strides, strict=True)
    )


SMALL: dict[str, Design] = {
    "conv-pool-conv-32": conv_pool_conv(32, 96, 128),
    "conv-pool-conv-24": conv_pool_conv(24, 64, 96),
    "conv-pool-conv-48": conv_pool_conv(48, 128, 192),
    "conv-pool-conv-64": conv_pool_conv(64, 192, 256),
    "shallow-resnet": Design(
        stem="conv3-2", stem_width=32, stages=stages("basic", (32, 64, 128), (1, 1, 1), (1, 2, 2))
    ),
    "resnet-9": Design(
        stem_width=16, pooling="max", stages=stages("pooled", (32, 64, 128), (2, 1, 2), (2, 2, 2))
    ),
    "resnet": resnet(16),
    "wide-resnet": wide_resnet(10, 2),
    "mobilenet-v2": Design(
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
    "efficientnet-v2": Design(
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
    "convnext": Design(
        stem="patch2",
        stem_width=32,
        activation="gelu",
        stages=tuple(
            Stage(block="convnext", width=width, depth=2, kernel=7, expansion=4, stride=stride)
            for width, stride in ((32, 1), (64, 2), (128, 2))
        ),
    ),
}

RACED = (
    "conv-pool-conv-32",
    "resnet-9",
    "shallow-resnet",
    "resnet",
    "efficientnet-v2",
    "mobilenet-v2",
    "convnext",
)
"""One network of each kind, the best known for short trainings first."""

HALVINGS: Mapping[Stem, int] = {"conv2": 0, "conv3": 0, "conv3-2": 1, "patch2": 1, "conv7-4": 2, "patch4": 2}
"""How often each stem halves the size."""


def _for_side(design: Design, side: int) -> Design:
    """Return the design with a stem that reduces larger images to about the size that it is designed for."""
    halvings = HALVINGS[design.stem] + max(0, round(math.log2(side / MADE_FOR)))
    if halvings == HALVINGS[design.stem]:
        return design
    stems: Sequence[Stem] = ("patch2", "patch4") if design.stem == "patch2" else ("conv3-2", "conv7-4")
    return replace(design, stem=stems[min(halvings, 2) - 1])


MADE_FOR = 32

PUBLISHED: dict[str, Design] = {
    "ResNet-18": Design(
        stem="conv7-4",
        stem_width=64,
        stages=stages("basic", (64, 128, 256, 512), (2, 2, 2, 2), (1, 2, 2, 2)),
    ),
    "ResNet-50": Design(
        stem="conv7-4",
        stem_width=64,
        stages=stages("bottleneck", (256, 512, 1024, 2048), (3, 4, 6, 3), (1, 2, 2, 2), expansion=4),
    ),
    "WRN-28-10": wide_resnet(28, 10),
    "MobileNetV2": Design(
        stem="conv3-2",
        stem_width=32,
        activation="relu6",
        last=1280,
        stages=(
            Stage(block="mbconv", width=16),
            Stage(block="mbconv", width=24, depth=2, expansion=6, stride=2),
            Stage(block="mbconv", width=32, depth=3, expansion=6, stride=2),
            Stage(block="mbconv", width=64, depth=4, expansion=6, stride=2),
            Stage(block="mbconv", width=96, depth=3, expansion=6),
            Stage(block="mbconv", width=160, depth=3, expansion=6, stride=2),
            Stage(block="mbconv", width=320, expansion=6),
        ),
    ),
    "MobileNetV3-L": Design(
        stem="conv3-2",
        stem_width=16,
        activation="hard-swish",
        last=960,
        hidden=1280,
        stages=(
            Stage(block="mbconv", width=16),
            Stage(block="mbconv", width=24, expansion=4, stride=2),
            Stage(block="mbconv", width=24, expansion=3),
            Stage(block="mbconv", width=40, depth=3, kernel=5, expansion=3, squeeze=0.25, stride=2),
            Stage(block="mbconv", width=80, expansion=6, stride=2),
            Stage(block="mbconv", width=80, expansion=2.5),
            Stage(block="mbconv", width=80, depth=2, expansion=2.3),
            Stage(block="mbconv", width=112, depth=2, expansion=6, squeeze=0.25),
            Stage(block="mbconv", width=160, depth=3, kernel=5, expansion=6, squeeze=0.25, stride=2),
        ),
    ),
    "EfficientNet-B0": efficientnet("silu", squeeze=0.25),
    "EfficientNet-Lite0": efficientnet("relu6", squeeze=0),
    "EfficientNetV2-S": Design(
        stem="conv3-2",
        stem_width=24,
        activation="silu",
        last=1280,
        stages=(
            Stage(block="fused-mbconv", width=24, depth=2),
            Stage(block="fused-mbconv", width=48, depth=4, expansion=4, stride=2),
            Stage(block="fused-mbconv", width=64, depth=4, expansion=4, stride=2),
            Stage(block="mbconv", width=128, depth=6, expansion=4, squeeze=0.25, stride=2),
            Stage(block="mbconv", width=160, depth=9, expansion=6, squeeze=0.25),
            Stage(block="mbconv", width=256, depth=15, expansion=6, squeeze=0.25, stride=2),
        ),
    ),
    "RegNetY-400MF": Design(
        stem="conv3-2",
        stem_width=32,
        stages=stages("bottleneck", (48, 104, 208, 440), (1, 3, 6, 6), (2, 2, 2, 2), group=8, squeeze=0.25),
    ),
    "ConvNeXt-T": Design(
        stem="patch4",
        stem_width=96,
        activation="gelu",
        stages=stages("convnext", (96, 192, 384, 768), (3, 3, 9, 3), (1, 2, 2, 2), kernel=7, expansion=4),
    ),
}
"""Networks with published parameter counts, for ImageNet or, for the WRN, CIFAR-10."""
