"""The blocks that stages are made of.

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
class Place:
    """What a block must know beside its stage."""

    before: int
    """Channels of its input."""
    stride: int
    halving: Halving
    activation: Activation
    hard: bool
    """Whether gates are as in MobileNetV3."""
    scale: float
    """What the branch of a `convnext` begins with, https://arxiv.org/abs/2103.17239."""

    def act(self) -> nn.Module:
        """Return the activation."""
        return ACTIVATIONS[self.activation]()


class Block(nn.Module):
    """A branch, to which a shortcut is added where there is one; then an activation where there is one."""

    def __init__(
        self, branch: nn.Module, shortcut: nn.Module | None = None, act: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.branch, self.shortcut, self.act = branch, shortcut, act

    @property
    def is_droppable(self) -> bool:
        """Tell whether there is something left without the branch."""
        return self.shortcut is not None

    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return the sum, with what of the branch is kept."""
        y_BCHW: Tensor = self.branch(x_BCHW)
        if kept_B is not None:
            y_BCHW = times_kept(y_BCHW, kept_B)
        if self.shortcut is not None:
            y_BCHW = y_BCHW + self.shortcut(x_BCHW)
        return y_BCHW if self.act is None else self.act(y_BCHW)


class PreActivation(Block):
    """Of WideResNets, https://arxiv.org/abs/1605.07146: a shortcut that convolves reads what the norm gives."""

    def __init__(self, norm: nn.Module, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__(branch, shortcut)
        self.norm = norm

    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return the sum, with what of the branch is kept."""
        normed_BCHW = self.norm(x_BCHW)
        y_BCHW: Tensor = self.branch(normed_BCHW)
        if kept_B is not None:
            y_BCHW = times_kept(y_BCHW, kept_B)
        shortcut = self.shortcut
        assert shortcut is not None
        passed: Tensor = x_BCHW if isinstance(shortcut, nn.Identity) else shortcut(normed_BCHW)
        return y_BCHW + passed


class Pool(nn.Module):
    """2×2 pooling; a side of 1 stays."""

    def __init__(self, kind: Halving) -> None:
        super().__init__()
        self.pool = functional.max_pool2d if kind == "max" else functional.avg_pool2d

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with its sides halved, rounded down."""
        pooled: Tensor = self.pool(x_BCHW, 2, ceil_mode=min(x_BCHW.shape[2:]) == 1)
        return pooled


class Patches(nn.Conv2d):
    """Squares of pixels, each a convolution; sides that are no multiple are filled up with zeros."""

    def __init__(self, before: int, after: int, size: int) -> None:
        super().__init__(before, after, size, size)
        self.size = size

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with its sides divided by the size, rounded up."""
        missing = [-side % self.size for side in x_BCHW.shape[2:]]
        if any(missing):
            x_BCHW = functional.pad(x_BCHW, (0, missing[1], 0, missing[0]))
        return super().forward(x_BCHW)


class Corners(nn.Conv2d):
    """A 2×2 convolution without padding; a side of 1 stays."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with a row and a column less."""
        missing = [int(side == 1) for side in x_BCHW.shape[2:]]
        if any(missing):
            x_BCHW = functional.pad(x_BCHW, (0, missing[1], 0, missing[0]))
        return super().forward(x_BCHW)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of each pixel's channels."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the normalised map."""
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Squeeze(nn.Module):
    """Squeeze-excitation, https://arxiv.org/abs/1709.01507: each channel times what all channels' means say of it."""

    def __init__(self, channels: int, hidden: int, act: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        self.act, self.gate = act, gate

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the weighted map."""
        mean_BC11 = x_BCHW.mean(dim=(2, 3), keepdim=True)
        weighted: Tensor = x_BCHW * self.gate(self.expand(self.act(self.reduce(mean_BC11))))
        return weighted


class ConvNeXtBranch(nn.Module):
    """Of https://arxiv.org/abs/2201.03545."""

    def __init__(self, channels: int, inner: int, kernel: int, act: nn.Module, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand, self.act, self.project = nn.Linear(channels, inner), act, nn.Linear(inner, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the branch's map."""
        y_BHWC: Tensor = self.norm(self.depthwise(x_BCHW).permute(0, 2, 3, 1))
        y_BHWC = self.scale * self.project(self.act(self.expand(y_BHWC)))
        return y_BHWC.permute(0, 3, 1, 2)


def in_eights(channels: float) -> int:
    """Return the nearest multiple of 8 that is no less than nine tenths of the channels, as MobileNets round."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def inner_width(stage: Stage, before: int) -> int:
    """Return the channels of a block's middle, given those of its input."""
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
    """Return the modules that there are, one after another."""
    return nn.Sequential(
        OrderedDict((name, module) for name, module in modules.items() if module is not None)
    )


def conv(before: int, after: int, kernel: int, place: Place, *, stride: int = 1, group: int = 0) -> nn.Module:
    """Return a convolution; with stride 2 it halves the sides in the way of the network.

    Args:
        before: channels of the input.
        after: channels of the output.
        kernel: the side.
        place: says how sides are halved.
        stride: 1 or 2.
        group: channels of each group, 0 for one group.
    """
    groups = before // group if group else 1
    pools = stride == 2 and place.halving != "stride"
    convolution = nn.Conv2d(
        before, after, kernel, 1 if pools else stride, kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(convolution, Pool(place.halving)) if pools else convolution


def shortcut(before: int, after: int, place: Place, *, norm: bool = True) -> nn.Module:
    """Return what brings a block's input to its output's shape."""
    if place.stride == 1 and before == after:
        return nn.Identity()
    pools = place.stride == 2 and place.halving != "stride"
    return named(
        pool=Pool("average") if pools else None,
        conv=nn.Conv2d(before, after, 1, 1 if pools else place.stride, bias=False),
        norm=nn.BatchNorm2d(after) if norm else None,
    )


def squeeze(stage: Stage, channels: int, place: Place) -> nn.Module | None:
    """Return squeeze-excitation of the channels, if the stage has any.

    Its hidden units are a share of the block's input; as MobileNetV3 has it, of the channels themselves.
    """
    if not stage.squeeze:
        return None
    if place.hard:
        return Squeeze(channels, in_eights(stage.squeeze * channels), nn.ReLU(), nn.Hardsigmoid())
    return Squeeze(channels, max(1, round(stage.squeeze * place.before)), place.act(), nn.Sigmoid())


def plain(stage: Stage, place: Place) -> Block:
    """Return two convolutions; in https://arxiv.org/abs/2404.00498 a pooling follows the first."""
    return Block(
        named(
            conv1=conv(place.before, stage.width, stage.kernel, place, stride=place.stride),
            norm1=nn.BatchNorm2d(stage.width),
            act1=place.act(),
            conv2=conv(stage.width, stage.width, stage.kernel, place),
            norm2=nn.BatchNorm2d(stage.width),
            act2=place.act(),
        )
    )


def pooled(stage: Stage, place: Place) -> Block:
    """Return a convolution, and a pooling where sides are halved; or two beside a shortcut where nothing changes.

    Of ResNet-9, https://myrtle.ai/learn/how-to-train-your-resnet/.
    """
    changes = place.stride == 2 or place.before != stage.width
    branch = named(
        conv1=nn.Conv2d(place.before, stage.width, stage.kernel, padding=stage.kernel // 2, bias=False),
        norm1=nn.BatchNorm2d(stage.width),
        act1=place.act(),
        pool=Pool("max") if place.stride == 2 else None,
        conv2=None if changes else conv(stage.width, stage.width, stage.kernel, place),
        norm2=None if changes else nn.BatchNorm2d(stage.width),
        act2=None if changes else place.act(),
    )
    return Block(branch, None if changes else nn.Identity())


def basic(stage: Stage, place: Place) -> Block:
    """Return two convolutions beside a shortcut: He et al. 2016, https://arxiv.org/abs/1512.03385."""
    branch = named(
        conv1=conv(place.before, stage.width, stage.kernel, place, stride=place.stride),
        norm1=nn.BatchNorm2d(stage.width),
        act1=place.act(),
        conv2=conv(stage.width, stage.width, stage.kernel, place),
        norm2=nn.BatchNorm2d(stage.width),
        squeeze=squeeze(stage, stage.width, place),
    )
    return Block(branch, shortcut(place.before, stage.width, place), place.act())


def pre_activation(stage: Stage, place: Place) -> Block:
    """Return a basic block with norms and activations before the convolutions."""
    norm = named(norm=nn.BatchNorm2d(place.before), act=place.act())
    branch = named(
        conv1=conv(place.before, stage.width, stage.kernel, place, stride=place.stride),
        norm1=nn.BatchNorm2d(stage.width),
        act1=place.act(),
        conv2=conv(stage.width, stage.width, stage.kernel, place),
    )
    return PreActivation(norm, branch, shortcut(place.before, stage.width, place, norm=False))


def bottleneck(stage: Stage, place: Place) -> Block:
    """Return a convolution between two 1×1 ones beside a shortcut: of ResNets and, with groups, of RegNets.

    RegNets: Radosavovic et al. 2020, https://arxiv.org/abs/2003.13678.
    """
    inner = inner_width(stage, place.before)
    branch = named(
        conv1=conv(place.before, inner, 1, place),
        norm1=nn.BatchNorm2d(inner),
        act1=place.act(),
        conv2=conv(
            inner,
            inner,
            stage.kernel,
            place,
            stride=place.stride,
            group=gcd(inner, stage.group) if stage.group else 0,
        ),
        norm2=nn.BatchNorm2d(inner),
        act2=place.act(),
        squeeze=squeeze(stage, inner, place),
        conv3=conv(inner, stage.width, 1, place),
        norm3=nn.BatchNorm2d(stage.width),
    )
    return Block(branch, shortcut(place.before, stage.width, place), place.act())


def mbconv(stage: Stage, place: Place) -> Block:
    """Return an inverted bottleneck: Sandler et al. 2018, https://arxiv.org/abs/1801.04381."""
    expands = stage.expansion > 1
    inner = inner_width(stage, place.before)
    branch = named(
        conv1=conv(place.before, inner, 1, place) if expands else None,
        norm1=nn.BatchNorm2d(inner) if expands else None,
        act1=place.act() if expands else None,
        conv2=conv(inner, inner, stage.kernel, place, stride=place.stride, group=1),
        norm2=nn.BatchNorm2d(inner),
        act2=place.act(),
        squeeze=squeeze(stage, inner, place),
        conv3=conv(inner, stage.width, 1, place),
        norm3=nn.BatchNorm2d(stage.width),
    )
    return Block(branch, _same_shape(stage, place))


def fused_mbconv(stage: Stage, place: Place) -> Block:
    """Return an inverted bottleneck whose first two convolutions are one: EfficientNetV2, https://arxiv.org/abs/2104.00298."""
    expands = stage.expansion > 1
    inner = inner_width(stage, place.before)
    branch = named(
        conv1=conv(place.before, inner, stage.kernel, place, stride=place.stride),
        norm1=nn.BatchNorm2d(inner),
        act1=place.act(),
        squeeze=squeeze(stage, inner, place),
        conv2=conv(inner, stage.width, 1, place) if expands else None,
        norm2=nn.BatchNorm2d(stage.width) if expands else None,
    )
    return Block(branch, _same_shape(stage, place))


def convnext(stage: Stage, place: Place) -> Block:
    """Return a block of a ConvNeXt, after what changes the shape where that is needed."""
    inner = inner_width(stage, place.before)
    block = Block(ConvNeXtBranch(stage.width, inner, stage.kernel, place.act(), place.scale), nn.Identity())
    if place.stride == 1 and place.before == stage.width:
        return block
    return After(
        named(norm=ChannelNorm(place.before), conv=Patches(place.before, stage.width, place.stride)), block
    )


class After(Block):
    """A block after what brings its input to its shape."""

    def __init__(self, before: nn.Module, block: Block) -> None:
        super().__init__(block.branch, block.shortcut, block.act)
        self.before = before

    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        """Return the block's sum, with what of its branch is kept."""
        return super().forward(self.before(x_BCHW), kept_B)


def _same_shape(stage: Stage, place: Place) -> nn.Module | None:
    return nn.Identity() if place.stride == 1 and place.before == stage.width else None


BLOCKS: dict[str, Callable[[Stage, Place], Block]] = {
    "plain": plain,
    "pooled": pooled,
    "basic": basic,
    "pre-activation": pre_activation,
    "bottleneck": bottleneck,
    "mbconv": mbconv,
    "fused-mbconv": fused_mbconv,
    "convnext": convnext,
}
