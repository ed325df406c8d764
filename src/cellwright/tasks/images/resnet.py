"""A residual network for small images, the hand-designed baseline: He et al. 2016, https://arxiv.org/abs/1512.03385."""

from torch import Tensor, device, nn, relu

from cellwright.nn.cost import count_params
from cellwright.nn.dropping import Droppable, times_kept
from cellwright.tasks.base import Task

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

    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return the rectified sum, with what of the convolutions is kept."""
        residual: Tensor = self.residual(x_BCHW)
        if kept_B is not None:
            residual = times_kept(residual, kept_B)
        return relu(residual + self.shortcut(x_BCHW))


class ResNet(Droppable):
    """Three stages of two basic blocks, 14 layers; each stage after the first doubles channels and halves sides."""

    def __init__(self, task: Task, *, channels: int) -> None:
        super().__init__()
        self.adapter = task.adapter()
        self.stem = nn.Sequential(
            nn.Conv2d(task.map_shape[0], channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList()
        before = channels
        for stage in range(STAGES):
            width = channels * 2**stage
            for block in range(BLOCKS_PER_STAGE):
                self.blocks.append(BasicBlock(before, width, 2 if stage and not block else 1))
                before = width
        self.head = task.head(before)

    @property
    def num_paths(self) -> int:
        """Return the number of blocks."""
        return len(self.blocks)

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return outputs for raw inputs."""
        x_BCHW = self.stem(self.adapter(*inputs))
        for index, block in enumerate(self.blocks):
            x_BCHW = block(x_BCHW, None if kept_PB is None else kept_PB[index])
        outputs: Tensor = self.head(x_BCHW.mean(dim=(2, 3)))
        return outputs


def resnet_channels(task: Task, params: int) -> int:
    """Return the channels of the first stage that bring the number of parameters nearest to `params`."""
    channels = 1
    while _size(task, channels + 1) < params:
        channels += 1
    return min((channels, channels + 1), key=lambda width: abs(_size(task, width) - params))


def _size(task: Task, channels: int) -> int:
    with device("meta"):
        return count_params(ResNet(task, channels=channels))
