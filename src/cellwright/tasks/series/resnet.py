"""ResNet for series, what one would build by hand: Wang et al. 2017, https://arxiv.org/abs/1611.06455."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from cellwright.tasks.series.task import Series

KERNELS = (7, 5, 3)
"""The first is 8 in the paper; an odd one is centred."""
WIDTHS = (1, 2, 2)
MOST_CHANNELS = 128


class ResNet1d(nn.Module):
    """Three residual blocks of three convolutions along time.

    Args:
        task: what it is for.
        channels: of the first block; the others have twice as many. 64 in the paper.
    """

    def __init__(self, task: "Series", channels: int) -> None:
        super().__init__()
        self.adapter = task.adapter()
        widths = [task.map_shape[0], *(channels * width for width in WIDTHS)]
        self.blocks = nn.Sequential(
            *(_Block(before, width) for before, width in zip(widths, widths[1:], strict=False))
        )
        self.head = task.head(widths[-1])

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return outputs for raw inputs."""
        outputs: Tensor = self.head(self.blocks(self.adapter(*inputs)).mean(dim=(2, 3)))
        return outputs


class _Block(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, size in enumerate(KERNELS):
            conv = nn.Conv2d(width if number else before, width, (1, size), padding="same", bias=False)
            layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
        self.residual = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.relu(self.residual(x_BCHW) + self.shortcut(x_BCHW))


def resnet_channels(task: "Series", params: int) -> int:
    """Return the channels at which the network has about so many parameters."""

    def size(channels: int) -> int:
        return sum(parameter.numel() for parameter in ResNet1d(task, channels).parameters())

    return min(range(2, MOST_CHANNELS + 1, 2), key=lambda channels: abs(size(channels) - params))
