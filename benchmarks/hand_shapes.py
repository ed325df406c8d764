"""The networks that people build by hand for small images, each in a size that a CPU trains in minutes."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from cellwright.tasks.images.resnet import BasicBlock, ResNet
from cellwright.tasks.images.task import ImageClassification


def conv_norm(
    before: int,
    after: int,
    size: int = 3,
    stride: int = 1,
    groups: int = 1,
    act: Callable[[], nn.Module] | None = nn.ReLU,
) -> list[nn.Module]:
    layers = [
        nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
    ]
    return [*layers, act()] if act else layers


class Residual(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def classifier(
    task: ImageClassification, layers: list[nn.Module], width: int, largest: bool = False
) -> nn.Module:
    """Return a network that pools the last feature map by its mean, or by its largest value."""
    pool = nn.AdaptiveMaxPool2d(1) if largest else nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(task.adapter(), *layers, pool, nn.Flatten(), task.head(width))


def shallow_resnet(task: ImageClassification, width: int) -> nn.Module:
    """Return a stem that halves the sides, and one basic block in each of three stages."""
    layers = conv_norm(task.map_shape[0], width, stride=2)
    layers += [
        BasicBlock(width, width, 1),
        BasicBlock(width, 2 * width, 2),
        BasicBlock(2 * width, 4 * width, 2),
    ]
    return classifier(task, layers, 4 * width)


class PreActivationBlock(nn.Module):
    """Of wide residual networks, https://arxiv.org/abs/1605.07146, where the width changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.norm = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU())
        self.residual = nn.Sequential(
            *conv_norm(before, after, stride=stride), nn.Conv2d(after, after, 3, padding=1, bias=False)
        )
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.residual(x) + self.shortcut(x)


def wide_resnet_10(task: ImageClassification, factor: int) -> nn.Module:
    widths = [16, *(16 * factor * 2**stage for stage in range(3))]
    layers: list[nn.Module] = [nn.Conv2d(task.map_shape[0], widths[0], 3, padding=1, bias=False)]
    for stage, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
        layers.append(PreActivationBlock(before, after, 2 if stage else 1))
    return classifier(task, [*layers, nn.BatchNorm2d(widths[-1]), nn.ReLU()], widths[-1])


def resnet_9(task: ImageClassification, width: int) -> nn.Module:
    """Return the network of fast CIFAR-10 training, https://myrtle.ai/learn/how-to-train-your-resnet/."""

    def pooled(before: int) -> list[nn.Module]:
        return [*conv_norm(before, 2 * before), nn.MaxPool2d(2)]

    def residual(width: int) -> Residual:
        return Residual(*conv_norm(width, width), *conv_norm(width, width))

    layers = [*conv_norm(task.map_shape[0], width), *pooled(width), residual(2 * width), *pooled(2 * width)]
    layers += [*pooled(4 * width), residual(8 * width)]
    return classifier(task, layers, 8 * width, largest=True)


STEM = 16


def conv_pool_conv(task: ImageClassification, widths: tuple[int, ...]) -> nn.Module:
    """Return groups of two convolutions with a pooling after the first, as in https://arxiv.org/abs/2404.00498."""
    layers: list[nn.Module] = [nn.Conv2d(task.map_shape[0], STEM, 2), nn.GELU()]
    before = STEM
    for width in widths:
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.MaxPool2d(2)]
        layers += [nn.BatchNorm2d(width), nn.GELU(), *conv_norm(width, width, act=nn.GELU)]
        before = width
    return classifier(task, layers, before, largest=True)


def mb_conv(
    before: int, after: int, stride: int, expansion: int, act: Callable[[], nn.Module], fused: bool
) -> nn.Module:
    """Return an inverted bottleneck; a fused one has a dense 3×3 convolution for the first two."""
    inner = expansion * before
    if fused:
        layers = conv_norm(before, inner, stride=stride, act=act)
    else:
        layers = conv_norm(before, inner, 1, act=act) if expansion > 1 else []
        layers += conv_norm(inner, inner, stride=stride, groups=inner, act=act)
    layers += conv_norm(inner, after, 1, act=None)
    return Residual(*layers) if stride == 1 and before == after else nn.Sequential(*layers)


def mobile(
    task: ImageClassification,
    act: Callable[[], nn.Module],
    stages: tuple[tuple[int, int, int, int, bool], ...],
    head: int,
) -> nn.Module:
    """Return a stem that halves the sides, stages of inverted bottlenecks, and a last 1×1 convolution.

    Args:
        task: the data.
        act: the activation.
        stages: the expansion, width, number of blocks, first stride, and whether fused, of each.
        head: width of the last convolution.
    """
    width = stages[0][1]
    layers = conv_norm(task.map_shape[0], width, stride=2, act=act)
    for expansion, after, depth, stride, fused in stages:
        for block in range(depth):
            layers.append(mb_conv(width, after, 1 if block else stride, expansion, act, fused))
            width = after
    return classifier(task, [*layers, *conv_norm(width, head, 1, act=act)], head)


class ChannelNorm(nn.Module):
    """Layer normalisation of each pixel's channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """https://arxiv.org/abs/2201.03545, without the scale of layers, which is for deep networks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.project(functional.gelu(self.expand(y))).permute(0, 3, 1, 2)


def conv_next(task: ImageClassification, widths: tuple[int, ...], depth: int) -> nn.Module:
    layers: list[nn.Module] = []
    before = task.map_shape[0]
    for width in widths:
        halving: list[nn.Module] = [nn.Conv2d(before, width, 2, 2)]
        layers += [ChannelNorm(before), *halving] if layers else [*halving, ChannelNorm(width)]
        layers += [ConvNeXtBlock(width) for _ in range(depth)]
        before = width
    return classifier(task, [*layers, ChannelNorm(before)], before)


TODAY = "ResNet-14, 11 channels"
SHAPES: dict[str, Callable[..., nn.Module]] = {
    TODAY: partial(ResNet, channels=11),
    "ResNet-14, 16 channels": partial(ResNet, channels=16),
    "shallow ResNet, 32 channels": partial(shallow_resnet, width=32),
    "WideResNet-10-2": partial(wide_resnet_10, factor=2),
    "ResNet-9, 16 channels": partial(resnet_9, width=16),
    "conv-pool-conv 24-64-96": partial(conv_pool_conv, widths=(24, 64, 96)),
    "conv-pool-conv 32-96-128": partial(conv_pool_conv, widths=(32, 96, 128)),
    "conv-pool-conv 48-128-192": partial(conv_pool_conv, widths=(48, 128, 192)),
    "conv-pool-conv 64-192-256": partial(conv_pool_conv, widths=(64, 192, 256)),
    "MobileNetV2, small": partial(
        mobile,
        act=nn.ReLU6,
        stages=((1, 16, 1, 1, False), (6, 24, 2, 1, False), (6, 32, 2, 2, False), (6, 64, 2, 2, False)),
        head=256,
    ),
    "EfficientNetV2, small": partial(
        mobile,
        act=nn.SiLU,
        stages=((1, 16, 1, 1, True), (4, 32, 2, 1, True), (4, 48, 2, 2, True), (4, 96, 2, 2, False)),
        head=256,
    ),
    "ConvNeXt, small": partial(conv_next, widths=(32, 64, 128), depth=2),
}
"""Each is given the ImageClassification. The first is the baseline of the Fashion-MNIST benchmark."""


def build_shape(shape: str, task: ImageClassification) -> nn.Module:
    return SHAPES[shape](task)
