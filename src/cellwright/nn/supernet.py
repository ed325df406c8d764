"""The DARTS supernet: every primitive on every edge, mixed by weights that the caller gives."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwright.nn.primitives import PRIMITIVES
from cellwright.nn.skeleton import ImageTask, Skeleton
from cellwright.spaces import Darts

Mixture = Mapping[str, Tensor]
"""For each kind of cell, the weight of each primitive on each edge, (edges, primitives)."""

Active = Mapping[str, Sequence[Sequence[int]]]
"""For each kind of cell, which primitives are computed on each edge, by their places; others are skipped."""


class MixedCell(nn.Module):
    """A cell whose nodes sum all primitives over all edges, each times its mixture weight.

    What does not depend on the edge is computed once for each source: the ReLU before convolutions, and the output
    of primitives that learn nothing. This equals the textbook sum, in which each edge computes its own.
    """

    def __init__(self, space: Darts, channels: int, reduces: bool) -> None:
        super().__init__()
        self.edges = space.edges
        self.primitives = space.primitives
        self.num_nodes = space.num_nodes
        self.everything = [range(len(space.primitives))] * len(space.edges)
        self.on_edges = nn.ModuleList()
        self.on_sources = nn.ModuleDict()
        for source, _ in self.edges:
            stride = 2 if reduces and source < 2 else 1
            learning = nn.ModuleDict()
            for name in self.primitives:
                primitive = PRIMITIVES[name](channels, stride, False)
                if primitive.has_weights:
                    learning[name] = primitive
                elif (key := f"{source}-{name}") not in self.on_sources:
                    self.on_sources[key] = primitive
            self.on_edges.append(learning)

    def forward(
        self, inputs: list[Tensor], mixture_EP: Tensor, active: Sequence[Sequence[int]] | None = None
    ) -> Tensor:
        """Return the concatenated nodes, given the two inputs and the weights on edges E of primitives P."""
        sums: list[Tensor | None] = [None] * self.num_nodes
        sources = list(inputs)
        for source in range(len(inputs) + self.num_nodes):
            if source >= len(inputs):
                node = sums[source - len(inputs)]
                assert node is not None
                sources.append(node)
            self._spread(source, sources[source], mixture_EP, active or self.everything, sums)
        return torch.cat(sources[len(inputs) :], dim=1)

    def _spread(
        self,
        source: int,
        x_BCHW: Tensor,
        mixture_EP: Tensor,
        active: Sequence[Sequence[int]],
        sums: list[Tensor | None],
    ) -> None:
        """Add to the nodes that read the source what its edges give."""
        edges = [edge for edge, (start, _) in enumerate(self.edges) if start == source and active[edge]]
        if not edges:
            return
        rectified = torch.relu(x_BCHW)
        shared = {
            name: self.on_sources[key](rectified if self.on_sources[key].reads_relu else x_BCHW)
            for index, name in enumerate(self.primitives)
            if (key := f"{source}-{name}") in self.on_sources and any(index in active[edge] for edge in edges)
        }
        for edge in edges:
            node = self.edges[edge][1]
            learning = self.on_edges[edge]
            for index in active[edge]:
                name = self.primitives[index]
                if name in shared:
                    output = shared[name]
                else:
                    primitive = learning[name]  # type: ignore[index]
                    output = primitive(rectified if primitive.reads_relu else x_BCHW)
                term = mixture_EP[edge, index] * output
                total = sums[node]
                sums[node] = term if total is None else total + term


class PartialCell(MixedCell):
    """A cell that sends a share of each source's channels through its primitives and passes the rest on.

    PC-DARTS: Xu et al. 2020, https://arxiv.org/abs/1907.05737. The rest has on each edge the weight of all its
    primitives together. Where the paper shuffles channels, the mixed ones move behind the others, so that the
    next node mixes different ones; that costs no copy.
    """

    def __init__(self, space: Darts, channels: int, reduces: bool, fraction: float) -> None:
        mixed_channels = max(2, round(fraction * channels))
        super().__init__(space, mixed_channels, reduces)
        self.mixed_channels = mixed_channels
        self.reduces = reduces

    def _spread(
        self,
        source: int,
        x_BCHW: Tensor,
        mixture_EP: Tensor,
        active: Sequence[Sequence[int]],
        sums: list[Tensor | None],
    ) -> None:
        mixed: list[Tensor | None] = [None] * self.num_nodes
        rest_BCHW = x_BCHW[:, self.mixed_channels :]
        if self.reduces and source < 2:
            rest_BCHW = nn.functional.max_pool2d(rest_BCHW, 2, ceil_mode=True)
        super()._spread(source, x_BCHW[:, : self.mixed_channels], mixture_EP, active, mixed)
        for edge, (start, node) in enumerate(self.edges):
            part = mixed[node]
            if start == source and part is not None:
                term = torch.cat([mixture_EP[edge].sum() * rest_BCHW, part], dim=1)
                total = sums[node]
                sums[node] = term if total is None else total + term


class Supernet(Skeleton):
    """All architectures of a space in one network with shared weights.

    Args:
        task: what to classify.
        space: which architectures.
        num_cells: cells to stack.
        channels: of the first cell's nodes.
        channel_fraction: the share of channels that goes through the primitives.
    """

    def __init__(
        self,
        task: ImageTask,
        space: Darts,
        *,
        num_cells: int,
        channels: int,
        channel_fraction: float = 1.0,
    ) -> None:
        super().__init__(
            task, num_cells=num_cells, channels=channels, num_nodes=space.num_nodes, affine=False
        )
        self.space = space
        self.cells = nn.ModuleList(
            MixedCell(space, place.channels, place.reduces)
            if channel_fraction == 1
            else PartialCell(space, place.channels, place.reduces, channel_fraction)
            for place in self.places
        )

    def forward(self, x_BCHW: Tensor, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return logits (B, classes) for raw images, computing what is active alone; by default everything."""
        older = newer = self.stem(self.standardise(x_BCHW))
        for place, inputs, cell in zip(self.places, self.inputs, self.cells, strict=True):
            chosen = active[place.kind] if active else None
            older, newer = newer, cell(inputs(older, newer), mixture[place.kind], chosen)
        return self._classify(newer)
