"""The networks of stages."""

from collections.abc import Iterator
from math import ceil

from torch import Tensor, nn
from torch.nn import functional

from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.nn.dropping import Droppable
from cellwright.nn.heads import read_out, reads_map
from cellwright.spaces.networks import Networks
from cellwright.spaces.stages.blocks import (
    ACTIVATIONS,
    BLOCKS,
    Block,
    ChannelNorm,
    Corners,
    Patches,
    Position,
    named,
)
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.section import Activation, StagesSection
from cellwright.spaces.supernet import Supernet
from cellwright.tasks.base import Task


class StagesNetwork(Droppable):
    """The network of a design, from raw inputs to outputs, with drop path on blocks that have a shortcut.

    Args:
        task: the task of the network.
        design: its stages.
    """

    def __init__(self, task: Task, design: Design) -> None:
        super().__init__()
        self.design = design = design.canonical
        _, *sides = task.map_shape
        self.size = tuple(ceil(side * design.resolution / 100) for side in sides)
        self.resizes = self.size != tuple(sides)
        act = ACTIVATIONS[design.activation]
        ends_in = design.stages[-1].block if design.stages else None
        width = design.stages[-1].width if design.stages else design.stem_width
        is_bare, features = ends_in == "pre-activation", design.last or width
        self.adapter = task.adapter()
        self.stem = _stem(task.map_shape[0], design)
        blocks = list(_blocks(design))
        self.blocks = nn.ModuleList(blocks)
        self.closing = named(
            norm=nn.BatchNorm2d(width) if is_bare else None,
            act=act() if is_bare else None,
            last=nn.Conv2d(width, design.last, 1, bias=False) if design.last else None,
            last_norm=nn.BatchNorm2d(design.last) if design.last else None,
            last_act=act() if design.last else None,
        )
        self.features = named(
            norm=nn.LayerNorm(width, eps=1e-6) if ends_in == "convnext" and not design.last else None,
            hidden=nn.Linear(features, design.hidden) if design.hidden else None,
            hidden_act=act() if design.hidden else None,
        )
        self.head = task.head(design.hidden or features)
        self._droppable = [block.is_droppable for block in blocks]

    @property
    def num_paths(self) -> int:
        """Return the number of blocks with a shortcut."""
        return sum(self._droppable)

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return the outputs for raw inputs."""
        x_BCHW = self.adapter(*inputs)
        if self.resizes:
            x_BCHW = functional.interpolate(x_BCHW, self.size, mode="bilinear", align_corners=False)
        x_BCHW = self.stem(x_BCHW)
        kept = iter(() if kept_PB is None else kept_PB)
        for block, is_droppable in zip(self.blocks, self._droppable, strict=True):
            x_BCHW = block(x_BCHW, next(kept, None) if is_droppable else None)
        x_BCHW = self.closing(x_BCHW)
        if reads_map(self.head):
            return read_out(self.head, self.features(x_BCHW.movedim(1, -1)).movedim(-1, 1), inputs)
        x_BC = x_BCHW.amax(dim=(2, 3)) if self.design.pooling == "max" else x_BCHW.mean(dim=(2, 3))
        outputs: Tensor = self.head(self.features(x_BC))
        return outputs


def _stem(before: int, design: Design) -> nn.Sequential:
    """Return the first layer; only the convolution if the first block starts with a norm."""
    width, kind = design.stem_width, design.stem
    act = ACTIVATIONS[design.activation]()
    if kind == "conv2":
        return named(conv=Corners(before, width), act=act)
    if kind.startswith("patch"):
        return named(conv=Patches(before, width, int(kind.removeprefix("patch"))), norm=ChannelNorm(width))
    kernel, stride = {"conv3": (3, 1), "conv3-2": (3, 2), "conv7-4": (7, 2)}[kind]
    bare = bool(design.stages) and design.stages[0].block == "pre-activation"
    return named(
        conv=nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False),
        norm=None if bare else nn.BatchNorm2d(width),
        act=None if bare else act,
        pool=nn.MaxPool2d(3, 2, 1) if kind == "conv7-4" else None,
    )


def _blocks(design: Design) -> Iterator[Block]:
    before = design.stem_width
    depth = sum(stage.depth for stage in design.stages)
    scale = 0.1 if depth <= DEEP[0] else 1e-5 if depth <= DEEP[1] else 1e-6
    hard = design.activation == "hard-swish"
    for index, stage in enumerate(design.stages):
        activation: Activation = "relu" if hard and index < len(design.stages) // 2 else design.activation
        for number in range(stage.depth):
            yield BLOCKS[stage.block](
                stage,
                Position(
                    before=before,
                    stride=1 if number else stage.stride,
                    halving=design.halving,
                    activation=activation,
                    hard=hard,
                    scale=scale,
                ),
            )
            before = stage.width


DEEP = (18, 24)
"""Maximum depths for an initial scale of 0.1 and 1e-5 in ConvNeXt branches; see `Position.scale`."""


class StagesNetworks(Networks):
    """Builds the networks of stages."""

    def supernet(self, section: StagesSection, task: Task, *, channel_fraction: float) -> Supernet:
        """Raise an error, since this space has no supernet."""
        raise CellwrightError("space.kind stages has no supernet")

    def network(self, section: StagesSection, task: Task, genotype: Genotype) -> nn.Module:
        """Return the network of a genotype."""
        return StagesNetwork(task, Design.of(genotype))
