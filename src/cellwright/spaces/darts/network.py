"""The network of one genotype, for training from scratch."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from cellwright.genotype import Cell, Genotype
from cellwright.nn.dropping import Droppable, times_kept
from cellwright.nn.positions import CellPosition
from cellwright.nn.primitives import PRIMITIVES, Identity, PrimitiveFactory
from cellwright.spaces.darts.feature import Feature
from cellwright.spaces.darts.skeleton import DartsSkeleton
from cellwright.tasks.base import Task


class GenotypeCell(nn.Module):
    """A cell with only the genotype's edges."""

    def __init__(
        self,
        cell: Cell,
        position: CellPosition,
        affine: bool,
        primitives: Mapping[str, PrimitiveFactory],
    ) -> None:
        super().__init__()
        self.cell = cell
        self.primitives = nn.ModuleList(
            primitives[edge.primitive](
                position.channels, 2 if position.reduces and edge.source < cell.num_inputs else 1, affine
            )
            for node in cell.nodes
            for edge in node
        )

    def forward(self, inputs: list[Tensor], kept_PB: Tensor | None = None) -> list[Feature]:
        """Return the nodes. Each edge except skips is multiplied by a factor for each example, if given."""
        features = [Feature(x_BCHW) for x_BCHW in inputs]
        primitives = iter(enumerate(self.primitives))
        for node in self.cell.nodes:
            outputs = []
            for edge, (index, primitive) in zip(node, primitives, strict=False):
                output = primitive(features[edge.source].read_by(primitive))  # type: ignore[arg-type]
                if kept_PB is not None and not isinstance(primitive, Identity):
                    output = times_kept(output, kept_PB[index])
                outputs.append(output)
            features.append(Feature(sum(outputs[1:], start=outputs[0])))
        return features[self.cell.num_inputs :]


class Network(DartsSkeleton, Droppable):
    """A genotype's cells in the skeleton, from raw inputs to outputs, with drop path on its edges."""

    def __init__(
        self,
        task: Task,
        genotype: Genotype,
        *,
        num_cells: int,
        channels: int,
        affine: bool = True,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        num_nodes = len(next(iter(genotype.cells.values())).nodes)
        super().__init__(task, num_cells=num_cells, channels=channels, num_nodes=num_nodes, affine=affine)
        self.cells = nn.ModuleList(
            GenotypeCell(genotype.cells[position.kind], position, affine, primitives)
            for position in self.positions
        )
        self.edge_counts = [len(cell.primitives) for cell in self.cells]  # type: ignore[arg-type]

    @property
    def num_paths(self) -> int:
        """Return the number of edges of all cells."""
        return sum(self.edge_counts)

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return the outputs for raw inputs."""
        kept = [None] * len(self.cells) if kept_PB is None else torch.split(kept_PB, self.edge_counts)
        cells = (partial(cell, kept_PB=kept_here) for cell, kept_here in zip(self.cells, kept, strict=True))
        return self._outputs(inputs, cells)
