"""Networks as people write them by hand: what members of the space are compared with."""

from collections.abc import Callable

from torch import Tensor, nn, relu

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


class BasicBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *conv_norm(before, after, stride=stride), *conv_norm(after, after, act=None)
        )
        changes = stride > 1 or before != after
        self.shortcut = (
            nn.Sequential(*conv_norm(before, after, 1, stride, act=None)) if changes else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.residual(x) + self.shortcut(x))


def resnet(task: ImageClassification, width: int) -> nn.Module:
    """Return a ResNet with two basic blocks in each of three stages."""
    layers, before = conv_norm(task.map_shape[0], width), width
    for stage in range(3):
        after = width * 2**stage
        layers += [BasicBlock(before, after, 2 if stage else 1), BasicBlock(after, after, 1)]
        before = after
    return classifier(task, layers, before)


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


def mb_conv(before: int, after: int, stride: int, expansion: int, act: Callable[[], nn.Module]) -> nn.Module:
    """Return an inverted bottleneck."""
    inner = expansion * before
    layers = conv_norm(before, inner, 1, act=act) if expansion > 1 else []
    layers += conv_norm(inner, inner, stride=stride, groups=inner, act=act)
    layers += conv_norm(inner, after, 1, act=None)
    return Residual(*layers) if stride == 1 and before == after else nn.Sequential(*layers)


def mobile_net_v2(task: ImageClassification) -> nn.Module:
    """Return a stem that halves the sides, stages of inverted bottlenecks, and a last 1×1 convolution."""
    layers, width = conv_norm(task.map_shape[0], 16, stride=2, act=nn.ReLU6), 16
    for expansion, after, depth, stride in ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 2, 2), (6, 64, 2, 2)):
        for block in range(depth):
            layers.append(mb_conv(width, after, 1 if block else stride, expansion, nn.ReLU6))
            width = after
    return classifier(task, [*layers, *conv_norm(width, 256, 1, act=nn.ReLU6)], 256)
