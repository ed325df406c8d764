"""The `space` section of stages."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cellwright.spec.section import Section
from cellwright.spec.space import SpaceSection

Block = Literal[
    "plain", "pooled", "basic", "pre-activation", "bottleneck", "mbconv", "fused-mbconv", "convnext"
]
Stem = Literal["conv2", "conv3", "conv3-2", "conv7-4", "patch2", "patch4"]
Halving = Literal["stride", "max", "average"]
Activation = Literal["relu", "relu6", "gelu", "silu", "hard-swish"]
Pooling = Literal["average", "max"]

WIDTHS = (8, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256)
"""About a third of an octave apart in the important range, and all multiples of 8."""


def _differ(choices: tuple[Any, ...]) -> tuple[Any, ...]:
    if not choices or len(set(choices)) != len(choices):
        raise ValueError(f"must be one or more different ones, got {list(choices)}")
    return choices


Numbers = Annotated[tuple[Annotated[int, Field(ge=0, le=65536)], ...], AfterValidator(_differ)]
Positive = Annotated[tuple[Annotated[int, Field(ge=1, le=65536)], ...], AfterValidator(_differ)]


class StageChoices(Section):
    """The choices for one stage. A key with a single choice fixes it."""

    block: Annotated[tuple[Block, ...], AfterValidator(_differ)] = (
        "plain",
        "pooled",
        "basic",
        "pre-activation",
        "bottleneck",
        "mbconv",
        "fused-mbconv",
        "convnext",
    )
    """Kind of the stage's blocks."""
    depth: Numbers = (1, 2, 3, 4)
    """Number of blocks; 0 omits the stage."""
    width: Positive = WIDTHS
    """Output channels of each block."""
    kernel: Annotated[tuple[Literal[3, 5, 7], ...], AfterValidator(_differ)] = (3, 5, 7)
    """Size of the spatial convolutions."""
    stride: Annotated[tuple[Literal[1, 2], ...], AfterValidator(_differ)] = (1, 2)
    """2 if the first block halves height and width."""
    expansion: Annotated[tuple[Annotated[float, Field(ge=1, le=16)], ...], AfterValidator(_differ)] = (
        1,
        2,
        4,
        6,
    )
    """Width multiplier for the middle of an `mbconv`, `fused-mbconv` or `convnext`, relative to its input; for a
    `bottleneck`, the factor by which the middle is narrower than the output."""
    squeeze: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], AfterValidator(_differ)] = (0, 0.25)
    """Hidden units of squeeze-and-excitation, as a fraction of the channels; 0 for none."""
    group: Numbers = (0, 8, 16)
    """Channels in each group of a `bottleneck`'s middle convolution; 0 for a single group."""


class StagesSection(SpaceSection):
    """Stages of blocks: ResNets, MobileNets, EfficientNets, RegNets, ConvNeXts, and everything in between."""

    implementation = "cellwright.spaces.stages.space:Stages"
    networks = "cellwright.spaces.stages.networks:StagesNetworks"
    strategy = "race"
    has_supernet = False

    kind: Literal["stages"]
    stem: Annotated[tuple[Stem, ...], AfterValidator(_differ)] = ("conv2", "conv3", "conv3-2", "patch2")
    """The first layer: a convolution with its kernel size, and after the dash, its total stride. `patch2` and `patch4`
    split the image into square patches. `conv2` has no norm and no padding."""
    stem_width: Positive = (8, 16, 24, 32, 48, 64)
    """Output channels of the stem."""
    halving: Annotated[tuple[Halving, ...], AfterValidator(_differ)] = ("stride", "max")
    """How stages halve height and width: by a convolution with stride 2, or by one with stride 1 and pooling."""
    activation: Annotated[tuple[Activation, ...], AfterValidator(_differ)] = ("relu", "relu6", "gelu", "silu")
    """`hard-swish` is as in MobileNetV3: ReLU in the first half of the stages, and hard sigmoid gates."""
    resolution: Annotated[tuple[Annotated[int, Field(ge=10, le=100)], ...], AfterValidator(_differ)] = (100,)
    """Resolution of the network's input, in percent of the image's."""
    pooling: Annotated[tuple[Pooling, ...], AfterValidator(_differ)] = ("average", "max")
    """Global pooling of the last feature map."""
    last: Numbers = (0, 256)
    """Width of a 1×1 convolution after the stages; 0 for none."""
    hidden: Numbers = (0,)
    """Width of a hidden layer between the pooling and the head; 0 for none."""
    stages: Annotated[tuple[StageChoices, ...], Field(min_length=1, max_length=12)] = (
        StageChoices(),
        StageChoices(width=WIDTHS[1:] + (320,)),
        StageChoices(width=WIDTHS[2:] + (320, 384)),
        StageChoices(width=WIDTHS[3:] + (320, 384, 512), depth=(0, 1, 2, 3, 4)),
    )
    """The choices of each stage, in order."""
