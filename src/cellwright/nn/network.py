"""The network of one genotype, to be trained from scratch."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cellwright.genotype import Cell, Genotype
from cellwright.nn.feature import Feature
from cellwright.nn.primitives import PRIMITIVES, Identity, PrimitiveFactory
from cellwright.nn.skeleton import CellPlace, ImageTask, Skeleton


class DropPath(nn.Module):
    """Drops whole edges for single examples, https://arxiv.org/abs/1605.07648; off until `rate` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = 0.0
        self.rng: torch.Generator | None = None
        self.part: tuple[slice, int] | None = None
        """Which rows of a batch of how many the maps are, where they are not all of it."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map with a share of `rate` examples zeroed and the others scaled to keep the mean."""
        if not self.training or self.rate == 0:
            return x_BCHW
        rows, batch_size = self.part or (slice(None), len(x_BCHW))
        kept = torch.rand(batch_size, 1, 1, 1, device=x_BCHW.device, generator=self.rng) >= self.rate
        return x_BCHW * (kept[rows] / (1 - self.rate))


class GenotypeCell(nn.Module):
    """A cell with the genotype's edges alone."""

    def __init__(
        self,
        cell: Cell,
        place: CellPlace,
        drop_path: DropPath,
        affine: bool,
        primitives: Mapping[str, PrimitiveFactory],
    ) -> None:
        super().__init__()
        self.cell = cell
        self.drop_path = drop_path
        self.primitives = nn.ModuleList(
            primitives[edge.primitive](
                place.channels, 2 if place.reduces and edge.source < cell.num_inputs else 1, affine
            )
            for node in cell.nodes
            for edge in node
        )

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Return the concatenated nodes."""
        features = [Feature(x_BCHW) for x_BCHW in inputs]
        primitives = iter(self.primitives)
        for node in self.cell.nodes:
            outputs = []
            for edge, primitive in zip(node, primitives, strict=False):
                output = primitive(features[edge.source].read_by(primitive))  # type: ignore[arg-type]
                outputs.append(output if isinstance(primitive, Identity) else self.drop_path(output))
            features.append(Feature(sum(outputs[1:], start=outputs[0])))
        return torch.cat([feature.x_BCHW for feature in features[self.cell.num_inputs :]], dim=1)


class Network(Skeleton):
    """A genotype's cells in the skeleton; takes raw images (B, C, H, W) and returns logits (B, classes)."""

    def __init__(
        self,
        task: ImageTask,
        genotype: Genotype,
        *,
        num_cells: int,
        channels: int,
        affine: bool = True,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        num_nodes = len(next(iter(genotype.cells.values())).nodes)
        super().__init__(task, num_cells=num_cells, channels=channels, num_nodes=num_nodes, affine=affine)
        self.drop_path = DropPath()
        self.cells = nn.ModuleList(
            GenotypeCell(genotype.cells[place.kind], place, self.drop_path, affine, primitives)
            for place in self.places
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits for raw images."""
        newer, output_BCHW = None, self.stem(self.standardise(x_BCHW))
        for inputs, cell in zip(self.inputs, self.cells, strict=True):
            older, newer = newer, torch.relu(output_BCHW)
            output_BCHW = cell(inputs(newer if older is None else older, newer))
        return self._classify(output_BCHW)
