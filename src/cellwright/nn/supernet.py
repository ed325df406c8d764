"""The DARTS supernet: every primitive on every edge, mixed by weights that the caller gives."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cellwright.nn.primitives import PRIMITIVES
from cellwright.nn.skeleton import ImageTask, Skeleton
from cellwright.spaces import Darts

Mixture = Mapping[str, Tensor]
"""For each kind of cell, the weight of each primitive on each edge, (edges, primitives)."""


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

    def forward(self, inputs: list[Tensor], mixture_EP: Tensor) -> Tensor:
        """Return the concatenated nodes, given the two inputs and the weights on edges E of primitives P."""
        sums: list[Tensor | None] = [None] * self.num_nodes
        sources = list(inputs)
        for source in range(len(inputs) + self.num_nodes):
            if source >= len(inputs):
                node = sums[source - len(inputs)]
                assert node is not None
                sources.append(node)
            self._spread(source, sources[source], mixture_EP, sums)
        return torch.cat(sources[len(inputs) :], dim=1)

    def _spread(self, source: int, x_BCHW: Tensor, mixture_EP: Tensor, sums: list[Tensor | None]) -> None:
        """Add to the nodes that read the source what its edges give."""
        rectified = torch.relu(x_BCHW)
        shared = {
            name: self.on_sources[key](rectified if self.on_sources[key].reads_relu else x_BCHW)
            for name in self.primitives
            if (key := f"{source}-{name}") in self.on_sources
        }
        for edge, (start, node) in enumerate(self.edges):
            if start != source:
                continue
            learning = self.on_edges[edge]
            for index, name in enumerate(self.primitives):
                if name in shared:
                    output = shared[name]
                else:
                    primitive = learning[name]  # type: ignore[index]
                    output = primitive(rectified if primitive.reads_relu else x_BCHW)
                term = mixture_EP[edge, index] * output
                total = sums[node]
                sums[node] = term if total is None else total + term


class Supernet(Skeleton):
    """All architectures of a space in one network with shared weights.

    Args:
        task: what to classify.
        space: which architectures.
        num_cells: cells to stack.
        channels: of the first cell's nodes.
    """

    def __init__(self, task: ImageTask, space: Darts, *, num_cells: int, channels: int) -> None:
        super().__init__(
            task, num_cells=num_cells, channels=channels, num_nodes=space.num_nodes, affine=False
        )
        self.space = space
        self.cells = nn.ModuleList(MixedCell(space, place.channels, place.reduces) for place in self.places)

    def forward(self, x_BCHW: Tensor, mixture: Mixture) -> Tensor:
        """Return logits (B, classes) for raw images."""
        older = newer = self.stem(self.standardise(x_BCHW))
        for place, inputs, cell in zip(self.places, self.inputs, self.cells, strict=True):
            older, newer = newer, cell(inputs(older, newer), mixture[place.kind])
        return self._classify(newer)
