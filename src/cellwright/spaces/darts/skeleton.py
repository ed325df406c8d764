"""The macro skeleton of supernets and derived networks: stem, stacked cells, classifier."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from cellwright.data.split import Inputs
from cellwright.nn.heads import read_out
from cellwright.nn.positions import cell_positions
from cellwright.nn.primitives import FactorizedReduce, Norm, conv_norm
from cellwright.spaces.darts.feature import Feature, concatenated, rectified
from cellwright.tasks.base import Task

STEM_MULTIPLIER = 3


class CellInputs(nn.Module):
    """Maps the outputs of the previous two cells, after ReLU, to the same number of channels and size."""

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
        """Return both feature maps, as the inputs of the cell."""
        return [self.older(older_BCHW), self.newer(newer_BCHW)]


class DartsSkeleton(nn.Module):
    """Stem and classifier around cells; subclasses define the cells."""

    def __init__(self, task: Task, *, num_cells: int, channels: int, num_nodes: int, affine: bool) -> None:
        super().__init__()
        self.task = task
        self.positions = cell_positions(num_cells, channels)
        stem_channels = STEM_MULTIPLIER * channels
        self.adapter = task.adapter()
        self.stem = nn.Sequential(
            nn.Conv2d(task.map_shape[0], stem_channels, 3, padding=1, bias=False), Norm(stem_channels, True)
        )
        self.cell_inputs = nn.ModuleList()
        before, halved = (stem_channels, stem_channels), False
        for position in self.positions:
            self.cell_inputs.append(CellInputs(before, position.channels, halved, affine))
            before, halved = (before[1], num_nodes * position.channels), position.reduces
        self.head = task.head(before[1])

    def _outputs(self, inputs: Inputs, cells: Iterable[Callable[[list[Tensor]], list[Feature]]]) -> Tensor:
        """Return the outputs for raw inputs; each cell returns its nodes."""
        newer, nodes = None, [Feature(self.stem(self.adapter(*inputs)))]
        for cell_inputs, cell in zip(self.cell_inputs, cells, strict=True):
            older, newer = newer, rectified(nodes)
            nodes = cell(cell_inputs(newer if older is None else older, newer))
        return read_out(self.head, concatenated(nodes), inputs)
