"""The macro skeleton that a supernet and a derived network share: stem, stacked cells, classifier."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cellwright.nn.feature import Feature, concatenated, rectified
from cellwright.nn.primitives import FactorizedReduce, Norm, conv_norm

STEM_MULTIPLIER = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageTask:
    """What a network must classify: raw images of C×H×W into `num_classes`, standardised by `mean` and `std`."""

    image_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Standardise(nn.Module):
    """Brings raw pixel values to zero mean and unit variance, so that a model takes what its user has."""

    mean: Tensor
    std: Tensor

    def __init__(self, task: ImageTask) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(task.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(task.std).view(1, -1, 1, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return standardised values."""
        return (x_BCHW - self.mean) / self.std


@dataclass(frozen=True, kw_only=True, slots=True)
class CellPlace:
    """Where a cell stands: the channels it is given, those of its nodes, and whether it halves the sides."""

    channels: int
    reduces: bool

    @property
    def kind(self) -> str:
        """Return the kind of cell that stands here."""
        return "reduce" if self.reduces else "normal"


def cell_places(num_cells: int, channels: int) -> list[CellPlace]:
    """Return where the cells stand: reductions at a third and two thirds, each doubling the channels."""
    reductions = {num_cells // 3, 2 * num_cells // 3} if num_cells > 1 else set()
    places = []
    for index in range(num_cells):
        reduces = index in reductions
        channels = 2 * channels if reduces else channels
        places.append(CellPlace(channels=channels, reduces=reduces))
    return places


class CellInputs(nn.Module):
    """Brings the rectified outputs of the two cells before to one number of channels and one size."""

    def __init__(
        self, channels_before: tuple[int, int], channels: int, sizes_differ: bool, affine: bool
    ) -> None:
        super().__init__()
        older, newer = channels_before
        self.older: nn.Module = (
            FactorizedReduce(older, channels, affine) if sizes_differ else conv_norm(older, channels, affine)
        )
        self.newer = conv_norm(newer, channels, affine)

    def forward(self, older_BCHW: Tensor, newer_BCHW: Tensor) -> list[Tensor]:
        """Return both feature maps, ready for the cell's nodes."""
        return [self.older(older_BCHW), self.newer(newer_BCHW)]


class Skeleton(nn.Module):
    """Stem and classifier around cells; subclasses say what a cell is."""

    def __init__(
        self, task: ImageTask, *, num_cells: int, channels: int, num_nodes: int, affine: bool
    ) -> None:
        super().__init__()
        self.task = task
        self.places = cell_places(num_cells, channels)
        stem_channels = STEM_MULTIPLIER * channels
        self.standardise = Standardise(task)
        self.stem = nn.Sequential(
            nn.Conv2d(task.image_shape[0], stem_channels, 3, padding=1, bias=False), Norm(stem_channels, True)
        )
        self.inputs = nn.ModuleList()
        before, halved = (stem_channels, stem_channels), False
        for place in self.places:
            self.inputs.append(CellInputs(before, place.channels, halved, affine))
            before, halved = (before[1], num_nodes * place.channels), place.reduces
        self.classifier = nn.Linear(before[1], task.num_classes)

    def _logits(self, x_BCHW: Tensor, cells: Iterable[Callable[[list[Tensor]], list[Feature]]]) -> Tensor:
        """Return logits for raw images; each cell returns its nodes."""
        newer, nodes = None, [Feature(self.stem(self.standardise(x_BCHW)))]
        for inputs, cell in zip(self.inputs, cells, strict=True):
            older, newer = newer, rectified(nodes)
            nodes = cell(inputs(newer if older is None else older, newer))
        logits: Tensor = self.classifier(concatenated(nodes).mean(dim=(2, 3)))
        return logits


@contextmanager
def seeded_initialisation(seed: int) -> Iterator[None]:
    """Make the initial weights of modules built in the block follow from the seed, and nothing else."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
