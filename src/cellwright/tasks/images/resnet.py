"""A residual network for small images, the hand-designed baseline: He et al. 2016, https://arxiv.org/abs/1512.03385."""

from torch import Tensor, device, nn, relu

from cellwright.nn.cost import count_params
from cellwright.tasks.images.task import ImageTask, Standardise

BLOCKS_PER_STAGE = 2
STAGES = 3


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut: nn.Module = (
            nn.Identity()
            if stride == 1 and in_channels == channels
            else nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the rectified sum."""
        return relu(self.residual(x_BCHW) + self.shortcut(x_BCHW))


class ResNet(nn.Module):
    """Three stages of two basic blocks, 14 layers; each stage after the first doubles channels and halves sides."""

    def __init__(self, task: ImageTask, *, channels: int) -> None:
        super().__init__()
        self.standardise = Standardise(task)
        layers: list[nn.Module] = [
            nn.Conv2d(task.image_shape[0], channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        before = channels
        for stage in range(STAGES):
            width = channels * 2**stage
            for block in range(BLOCKS_PER_STAGE):
                layers.append(BasicBlock(before, width, 2 if stage and not block else 1))
                before = width
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(before, task.num_classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits (B, classes) for raw images."""
        logits: Tensor = self.classifier(self.layers(self.standardise(x_BCHW)).mean(dim=(2, 3)))
        return logits


def resnet_channels(task: ImageTask, params: int) -> int:
    """Return the channels of the first stage that bring the number of parameters nearest to `params`."""
    channels = 1
    while _size(task, channels + 1) < params:
        channels += 1
    return min((channels, channels + 1), key=lambda width: abs(_size(task, width) - params))


def _size(task: ImageTask, channels: int) -> int:
    with device("meta"):
        return count_params(ResNet(task, channels=channels))
