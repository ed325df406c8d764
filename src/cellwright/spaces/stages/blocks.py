"""The blocks of stages.

Shapes: B batch, C channels, H height, W width.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.nn.dropping import times_kept
from cellwright.spaces.stages.design import Stage
from cellwright.spaces.stages.section import Activation, Halving

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hard-swish": nn.Hardswish,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """The context of a block, apart from its stage."""

    before: int
    """Channels of the input."""
    stride: int
    halving: Halving
    activation: Activation
    hard: bool
    """Whether gates are hard sigmoids, as in MobileNetV3."""
    scale: float
    """Initial scale of a `convnext` branch, https://arxiv.org/abs/2103.17239."""

    def act(self) -> nn.Module:
        """Return the activation."""
        return ACTIVATIONS[self.activation]()


class Block(nn.Module):
    """A branch with an optional shortcut and an optional activation after their sum."""

    def __init__(
        self, branch: nn.Module, shortcut: nn.Module | None = None, act: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.branch, self.shortcut, self.act = branch, shortcut, act

    @property
    def is_droppable(self) -> bool:
        """Return whether the block has a shortcut, so that its branch can be dropped."""
        return self.shortcut is not None

    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return the sum of shortcut and branch; the branch is multiplied by the factor of each example."""
        y_BCHW: Tensor = self.branch(x_BCHW)
        if kept_B is not None:
            y_BCHW = times_kept(y_BCHW, kept_B)
        if self.shortcut is not None:
            y_BCHW = y_BCHW + self.shortcut(x_BCHW)
        return y_BCHW if self.act is None else self.act(y_BCHW)


class PreActivation(Block):
    """A WideResNet block, https://arxiv.org/abs/1605.07146. A shortcut with a convolution reads the norm's output."""

    def __init__(self, norm: nn.Module, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__(branch, shortcut)
        self.norm = norm

    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return the sum of shortcut and branch; the branch is multiplied by the factor of each example."""
        normed_BCHW = self.norm(x_BCHW)
        y_BCHW: Tensor = self.branch(normed_BCHW)
        if kept_B is not None:
            y_BCHW = times_kept(y_BCHW, kept_B)
        shortcut = self.shortcut
        assert shortcut is not None
        passed: Tensor = x_BCHW if isinstance(shortcut, nn.Identity) else shortcut(normed_BCHW)
        return y_BCHW + passed


class Pool(nn.Module):
    """2×2 pooling; a side of length 1 is kept."""

    def __init__(self, kind: Halving) -> None:
        super().__init__()
        self.pool = functional.max_pool2d if kind == "max" else functional.avg_pool2d

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with height and width halved, rounded down."""
        pooled: Tensor = self.pool(x_BCHW, 2, ceil_mode=min(x_BCHW.shape[2:]) == 1)
        return pooled


class Patches(nn.Conv2d):
    """A convolution of square patches; maps are padded with zeros to a multiple of the patch size."""

    def __init__(self, before: int, after: int, size: int) -> None:
        super().__init__(before, after, size, size)
        self.size = size

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with height and width divided by the patch size, rounded up."""
        missing = [-side % self.size for side in x_BCHW.shape[2:]]
        if any(missing):
            x_BCHW = functional.pad(x_BCHW, (0, missing[1], 0, missing[0]))
        return super().forward(x_BCHW)


class Corners(nn.Conv2d):
    """A 2×2 convolution without padding; a side of length 1 is kept."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with one row and one column less."""
        missing = [int(side == 1) for side in x_BCHW.shape[2:]]
        if any(missing):
            x_BCHW = functional.pad(x_BCHW, (0, missing[1], 0, missing[0]))
        return super().forward(x_BCHW)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the normalised feature map."""
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Squeeze(nn.Module):
    """Squeeze-and-excitation, https://arxiv.org/abs/1709.01507: gates each channel by a function of all means."""

    def __init__(self, channels: int, hidden: int, act: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        self.act, self.gate = act, gate

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the gated map."""
        mean_BC11 = x_BCHW.mean(dim=(2, 3), keepdim=True)
        weighted: Tensor = x_BCHW * self.gate(self.expand(self.act(self.reduce(mean_BC11))))
        return weighted


class ConvNeXtBranch(nn.Module):
    """The branch of a ConvNeXt block, https://arxiv.org/abs/2201.03545."""

    def __init__(self, channels: int, inner: int, kernel: int, act: nn.Module, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand, self.act, self.project = nn.Linear(channels, inner), act, nn.Linear(inner, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the output of the branch."""
        y_BHWC: Tensor = self.norm(self.depthwise(x_BCHW).permute(0, 2, 3, 1))
        y_BHWC = self.scale * self.project(self.act(self.expand(y_BHWC)))
        return y_BHWC.permute(0, 3, 1, 2)


def in_eights(channels: float) -> int:
    """Round to the nearest multiple of 8 that is at least 90 % of the channels, as MobileNets do."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def inner_width(stage: Stage, before: int) -> int:
    """Return the channels in the middle of a block, given those of its input."""
    match stage.block:
        case "bottleneck":
            return in_eights(stage.width / stage.expansion) if stage.expansion > 1 else stage.width
        case "mbconv":
            return in_eights(stage.expansion * before) if stage.expansion > 1 else before
        case "fused-mbconv":
            return in_eights(stage.expansion * before) if stage.expansion > 1 else stage.width
        case "convnext":
            return round(stage.expansion * stage.width)
    return stage.width


def named(**modules: nn.Module | None) -> nn.Sequential:
    """Return the modules that are not None, in sequence."""
    return nn.Sequential(
        OrderedDict((name, module) for name, module in modules.items() if module is not None)
    )


def conv(
    before: int, after: int, kernel: int, position: Position, *, stride: int = 1, group: int = 0
) -> nn.Module:
    """Return a convolution. With stride 2, it halves the size by the network's method.

    Args:
        before: channels of the input.
        after: channels of the output.
        kernel: size of the kernel.
        position: determines the method of halving.
        stride: 1 or 2.
        group: channels of each group, 0 for a single group.
    """
    groups = before // group if group else 1
    pools = stride == 2 and position.halving != "stride"
    convolution = nn.Conv2d(
        before, after, kernel, 1 if pools else stride, kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(convolution, Pool(position.halving)) if pools else convolution


def shortcut(before: int, after: int, position: Position, *, norm: bool = True) -> nn.Module:
    """Return the shortcut that maps a block's input to the shape of its output."""
    if position.stride == 1 and before == after:
        return nn.Identity()
    pools = position.stride == 2 and position.halving != "stride"
    return named(
        pool=Pool("average") if pools else None,
        conv=nn.Conv2d(before, after, 1, 1 if pools else position.stride, bias=False),
        norm=nn.BatchNorm2d(after) if norm else None,
    )


def squeeze(stage: Stage, channels: int, position: Position) -> nn.Module | None:
    """Return squeeze-and-excitation for the channels, or None if the stage has none.

    The number of hidden units is a fraction of the block's input channels, or in MobileNetV3, of `channels`.
    """
    if not stage.squeeze:
        return None
    if position.hard:
        return Squeeze(channels, in_eights(stage.squeeze * channels), nn.ReLU(), nn.Hardsigmoid())
    return Squeeze(channels, max(1, round(stage.squeeze * position.before)), position.act(), nn.Sigmoid())


def plain(stage: Stage, position: Position) -> Block:
    """Return two convolutions. In https://arxiv.org/abs/2404.00498, pooling follows the first."""
    return Block(
        named(
            conv1=conv(position.before, stage.width, stage.kernel, position, stride=position.stride),
            norm1=nn.BatchNorm2d(stage.width),
            act1=position.act(),
            conv2=conv(stage.width, stage.width, stage.kernel, position),
            norm2=nn.BatchNorm2d(stage.width),
            act2=position.act(),
        )
    )


def pooled(stage: Stage, position: Position) -> Block:
    """Return a convolution with pooling if the size is halved, or two with a shortcut if the shape does not change.

    From ResNet-9, https://myrtle.ai/learn/how-to-train-your-resnet/.
    """
    changes = position.stride == 2 or position.before != stage.width
    branch = named(
        conv1=nn.Conv2d(position.before, stage.width, stage.kernel, padding=stage.kernel // 2, bias=False),
        norm1=nn.BatchNorm2d(stage.width),
        act1=position.act(),
        pool=Pool("max") if position.stride == 2 else None,
        conv2=None if changes else conv(stage.width, stage.width, stage.kernel, position),
        norm2=None if changes else nn.BatchNorm2d(stage.width),
        act2=None if changes else position.act(),
    )
    return Block(branch, None if changes else nn.Identity())


def basic(stage: Stage, position: Position) -> Block:
    """Return two convolutions with a shortcut: He et al. 2016, https://arxiv.org/abs/1512.03385."""
    branch = named(
        conv1=conv(position.before, stage.width, stage.kernel, position, stride=position.stride),
        norm1=nn.BatchNorm2d(stage.width),
        act1=position.act(),
        conv2=conv(stage.width, stage.width, stage.kernel, position),
        norm2=nn.BatchNorm2d(stage.width),
        squeeze=squeeze(stage, stage.width, position),
    )
    return Block(branch, shortcut(position.before, stage.width, position), position.act())


def pre_activation(stage: Stage, position: Position) -> Block:
    """Return a basic block with norms and activations before the convolutions."""
    norm = named(norm=nn.BatchNorm2d(position.before), act=position.act())
    branch = named(
        conv1=conv(position.before, stage.width, stage.kernel, position, stride=position.stride),
        norm1=nn.BatchNorm2d(stage.width),
        act1=position.act(),
        conv2=conv(stage.width, stage.width, stage.kernel, position),
    )
    return PreActivation(norm, branch, shortcut(position.before, stage.width, position, norm=False))


def bottleneck(stage: Stage, position: Position) -> Block:
    """Return a convolution between two 1×1 convolutions, with a shortcut: for ResNets and, with groups, RegNets.

    RegNets: Radosavovic et al. 2020, https://arxiv.org/abs/2003.13678.
    """
    inner = inner_width(stage, position.before)
    branch = named(
        conv1=conv(position.before, inner, 1, position),
        norm1=nn.BatchNorm2d(inner),
        act1=position.act(),
        conv2=conv(
            inner,
            inner,
            stage.kernel,
            position,
            stride=position.stride,
            group=gcd(inner, stage.group) if stage.group else 0,
        ),
        norm2=nn.BatchNorm2d(inner),
        act2=position.act(),
        squeeze=squeeze(stage, inner, position),
        conv3=conv(inner, stage.width, 1, position),
        norm3=nn.BatchNorm2d(stage.width),
    )
    return Block(branch, shortcut(position.before, stage.width, position), position.act())


def mbconv(stage: Stage, position: Position) -> Block:
    """Return an inverted bottleneck: Sandler et al. 2018, https://arxiv.org/abs/1801.04381."""
    expands = stage.expansion > 1
    inner = inner_width(stage, position.before)
    branch = named(
        conv1=conv(position.before, inner, 1, position) if expands else None,
        norm1=nn.BatchNorm2d(inner) if expands else None,
        act1=position.act() if expands else None,
        conv2=conv(inner, inner, stage.kernel, position, stride=position.stride, group=1),
        norm2=nn.BatchNorm2d(inner),
        act2=position.act(),
        squeeze=squeeze(stage, inner, position),
        conv3=conv(inner, stage.width, 1, position),
        norm3=nn.BatchNorm2d(stage.width),
    )
    return Block(branch, _same_shape(stage, position))


def fused_mbconv(stage: Stage, position: Position) -> Block:
    """Return an inverted bottleneck that fuses its first two convolutions.

    EfficientNetV2: Tan & Le 2021, https://arxiv.org/abs/2104.00298.
    """
    expands = stage.expansion > 1
    inner = inner_width(stage, position.before)
    branch = named(
        conv1=conv(position.before, inner, stage.kernel, position, stride=position.stride),
        norm1=nn.BatchNorm2d(inner),
        act1=position.act(),
        squeeze=squeeze(stage, inner, position),
        conv2=conv(inner, stage.width, 1, position) if expands else None,
        norm2=nn.BatchNorm2d(stage.width) if expands else None,
    )
    return Block(branch, _same_shape(stage, position))


def convnext(stage: Stage, position: Position) -> Block:
    """Return a ConvNeXt block, after a layer that changes the shape if needed."""
    inner = inner_width(stage, position.before)
    block = Block(
        ConvNeXtBranch(stage.width, inner, stage.kernel, position.act(), position.scale), nn.Identity()
    )
    if position.stride == 1 and position.before == stage.width:
        return block
    return After(
        named(norm=ChannelNorm(position.before), conv=Patches(position.before, stage.width, position.stride)),
        block,
    )


class After(Block):
    """A block after a layer that changes the input's shape."""

    def __init__(self, before: nn.Module, block: Block) -> None:
        super().__init__(block.branch, block.shortcut, block.act)
        self.before = before

    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return the block's output for the reshaped input."""
        return super().forward(self.before(x_BCHW), kept_B)


def _same_shape(stage: Stage, position: Position) -> nn.Module | None:
    return nn.Identity() if position.stride == 1 and position.before == stage.width else None


BLOCKS: dict[str, Callable[[Stage, Position], Block]] = {
    "plain": plain,
    "pooled": pooled,
    "basic": basic,
    "pre-activation": pre_activation,
    "bottleneck": bottleneck,
    "mbconv": mbconv,
    "fused-mbconv": fused_mbconv,
    "convnext": convnext,
}
