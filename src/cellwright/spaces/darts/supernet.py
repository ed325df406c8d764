"""The DARTS supernet: every primitive on every edge."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.nn.primitives import PRIMITIVES, Primitive, PrimitiveFactory
from cellwright.nn.wide import is_worthwhile, wide_outputs
from cellwright.spaces.darts.feature import Feature
from cellwright.spaces.darts.network import Network
from cellwright.spaces.darts.skeleton import DartsSkeleton
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.supernet import Active, Mixture, Supernet, mixed_channels
from cellwright.tasks.base import Task

Position = tuple[int, int]
"""An edge and the index of one of its primitives."""


class EdgeWeights:
    """The active choices of a mixture, split once for all cells of a type.

    Splitting once is faster, since a gradient that is assembled from pieces costs a pass for each piece. Weights that
    are all 1, like those of a sampled path when network weights are trained, are omitted.

    Args:
        mixture_EP: weights of primitives P on edges E.
        active: indices of the primitives to compute for each edge; all by default.
    """

    def __init__(self, mixture_EP: Tensor, active: Sequence[Sequence[int]] | None = None) -> None:
        self.active = [range(mixture_EP.shape[1])] * len(mixture_EP) if active is None else active
        self._mixture_EP = mixture_EP
        positions = [(edge, index) for edge, indices in enumerate(self.active) for index in indices]
        # Indexing would copy the indices to the GPU, which cannot be captured in a CUDA graph.
        everything = len(positions) == mixture_EP.numel()
        weights_A = mixture_EP.flatten() if everything else mixture_EP[tuple(zip(*positions, strict=True))]
        if not weights_A.requires_grad and weights_A.device.type == "cpu" and bool((weights_A == 1).all()):
            positions, weights_A = [], weights_A[:0]
        self._positions, self._weights_A = positions, weights_A
        self._of_channels: dict[int, Mapping[Position, Tensor]] = {}

    @cached_property
    def of_map(self) -> Mapping[Position, Tensor]:
        """Return the weights as scalars, except for omitted ones."""
        return dict(zip(self._positions, self._weights_A.unbind(), strict=True))

    def of_channels(self, channels: int) -> Mapping[Position, Tensor]:
        """Return the weights as vectors with one factor for each channel, except for omitted ones."""
        if channels not in self._of_channels:
            factors_AC = self._weights_A[:, None].repeat(1, channels)
            self._of_channels[channels] = dict(zip(self._positions, factors_AC.unbind(), strict=True))
        return self._of_channels[channels]

    @cached_property
    def of_edge(self) -> Sequence[Tensor]:
        """Return the summed weight of each edge's primitives."""
        return self._mixture_EP.sum(dim=1).unbind()


class MixedCell(nn.Module):
    """A cell whose nodes sum all primitives on all edges, each multiplied by its mixture weight.

    Results that do not depend on the edge are computed once for each source: the ReLU before convolutions, and the
    output of primitives without weights. The result equals the textbook sum, where each edge computes its own.
    """

    def __init__(
        self,
        space: Darts,
        channels: int,
        reduces: bool,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        super().__init__()
        self.edges = space.edges
        self.primitives = space.primitives
        self.num_nodes = space.num_nodes
        self.channels = channels
        self.on_edges = nn.ModuleList()
        self.on_sources = nn.ModuleDict()
        for source, _ in self.edges:
            stride = 2 if reduces and source < 2 else 1
            learning = nn.ModuleDict()
            for name in self.primitives:
                primitive = primitives[name](channels, stride, False)
                if primitive.has_weights:
                    learning[name] = primitive
                elif (key := f"{source}-{name}") not in self.on_sources:
                    self.on_sources[key] = primitive
            self.on_edges.append(learning)

    def forward(self, inputs: list[Tensor], weights: EdgeWeights) -> list[Feature]:
        """Return the nodes.

        Args:
            inputs: the cell's two input maps.
            weights: weights of the primitives on each edge; inactive ones count as zero.
        """
        sums: list[Tensor | None] = [None] * self.num_nodes
        features = [Feature(x_BCHW) for x_BCHW in inputs]
        for source in range(len(inputs) + self.num_nodes):
            if source >= len(inputs):
                node = sums[source - len(inputs)]
                assert node is not None, f"node {source - len(inputs)} has no active primitive"
                features.append(Feature(node))
            self._spread(source, features[source], weights, sums)
        return features[len(inputs) :]

    def origin(self, source: int, node: int, primitive: str) -> str:
        """Return the name of the module for the primitive on the edge."""
        edge = self.edges.index((source, node))
        learning: nn.ModuleDict = self.on_edges[edge]  # type: ignore[assignment]
        return f"on_edges.{edge}.{primitive}" if primitive in learning else f"on_sources.{source}-{primitive}"

    def _spread(self, source: int, feature: Feature, weights: EdgeWeights, sums: list[Tensor | None]) -> None:
        """Add the outputs of all edges from the source to their nodes."""
        positions = [
            (edge, index)
            for edge, (start, _) in enumerate(self.edges)
            if start == source
            for index in weights.active[edge]
        ]
        of_channels = weights.of_channels(self.channels)
        if is_worthwhile(feature.x_BCHW):
            learning = {
                self.on_edges[edge][name]: of_channels.get((edge, index))  # type: ignore[index]
                for edge, index in positions
                if (name := self.primitives[index]) in self.on_edges[edge]  # type: ignore[operator]
            }
            feature.wide = wide_outputs(learning, feature.rectified)
        for edge, index in positions:
            end = self.edges[edge][1]
            name = self.primitives[index]
            if (key := f"{source}-{name}") in self.on_sources:
                output = feature.apply(name, self.on_sources[key])  # type: ignore[arg-type]
                sums[end] = _plus(sums[end], output, weights.of_map.get((edge, index)))
            else:
                primitive: Primitive = self.on_edges[edge][name]  # type: ignore[index]
                term = feature.wide.get(primitive)
                if term is None:
                    term = primitive.times(of_channels.get((edge, index)), feature.read_by(primitive))
                total = sums[end]
                sums[end] = term if total is None else total.add_(term)


def _plus(total: Tensor | None, output: Tensor, weight: Tensor | None) -> Tensor:
    """Return the sum plus the weighted output. Overwrites `total`, but not `output`, which is shared."""
    if weight is None:
        return output.clone() if total is None else total.add_(output)
    return weight * output if total is None else total.addcmul_(output, weight)


class PartialCell(MixedCell):
    """A cell that passes only a fraction of each source's channels through its primitives.

    PC-DARTS: Xu et al. 2020, https://arxiv.org/abs/1907.05737. The other channels are weighted on each edge by the sum
    of the weights of its primitives. Where the paper shuffles channels, here the mixed ones move behind the others, so
    that the next node mixes different ones without a copy.
    """

    def __init__(
        self,
        space: Darts,
        channels: int,
        reduces: bool,
        fraction: float,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        super().__init__(space, mixed_channels(channels, fraction), reduces, primitives)
        self.reduces = reduces

    def _spread(self, source: int, feature: Feature, weights: EdgeWeights, sums: list[Tensor | None]) -> None:
        mixed: list[Tensor | None] = [None] * self.num_nodes
        mixed_BCHW, rest_BCHW = feature.x_BCHW[:, : self.channels], feature.x_BCHW[:, self.channels :]
        if self.reduces and source < 2:
            rest_BCHW = nn.functional.max_pool2d(rest_BCHW, 2, ceil_mode=True)
        super()._spread(source, Feature(mixed_BCHW), weights, mixed)
        for edge, (start, node) in enumerate(self.edges):
            part = mixed[node]
            if start == source and part is not None:
                weight = weights.of_edge[edge]
                term = torch.cat([weight * rest_BCHW, part], dim=1)
                total = sums[node]
                sums[node] = term if total is None else total + term


class DartsSupernet(DartsSkeleton, Supernet):
    """All DARTS cells in one network.

    Args:
        task: the task of the network.
        space: the search space.
        num_cells: number of cells to stack.
        channels: channels of the first cell's nodes.
        channel_fraction: the fraction of channels that go through the primitives.
        primitives: builds each primitive of the space, by name.
    """

    space: Darts

    def __init__(
        self,
        task: Task,
        space: Darts,
        *,
        num_cells: int,
        channels: int,
        channel_fraction: float = 1.0,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        super().__init__(
            task, num_cells=num_cells, channels=channels, num_nodes=space.num_nodes, affine=False
        )
        self.space = space
        self.channels = channels
        self.primitives = primitives
        self.cells = nn.ModuleList(
            MixedCell(space, position.channels, position.reduces, primitives)
            if channel_fraction == 1
            else PartialCell(space, position.channels, position.reduces, channel_fraction, primitives)
            for position in self.positions
        )

    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return the outputs for raw inputs. Computes only the active choices; by default, all."""
        weights = {
            kind: EdgeWeights(rows, active[kind] if active else None) for kind, rows in mixture.items()
        }
        cells = (
            partial(cell, weights=weights[position.kind])
            for position, cell in zip(self.positions, self.cells, strict=True)
        )
        return self._outputs(inputs, cells)

    def network(self, genotype: Genotype) -> Network:
        """Return the genotype's network at the supernet's size, with initial weights."""
        return Network(
            self.task,
            genotype,
            num_cells=len(self.positions),
            channels=self.channels,
            primitives=self.primitives,
        )

    def origins(self, genotype: Genotype) -> Mapping[str, str]:
        """Map the name of each edge's primitive in the network to its name in the supernet."""
        return {
            f"cells.{index}.primitives.{number}.": f"cells.{index}.{cell.origin(*edge)}."  # type: ignore[operator]
            for index, (position, cell) in enumerate(zip(self.positions, self.cells, strict=True))
            for number, edge in enumerate(
                (edge.source, node, edge.primitive)
                for node, edges in enumerate(genotype.cells[position.kind].nodes)
                for edge in edges
            )
        }
