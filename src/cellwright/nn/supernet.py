"""What every supernet is, and that of DARTS: every primitive on every edge, mixed by weights that the caller gives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwright.genotype import Genotype
from cellwright.nn.network import Network
from cellwright.nn.primitives import PRIMITIVES, PrimitiveFactory
from cellwright.nn.skeleton import ImageTask, Skeleton
from cellwright.spaces import Darts, Space

Mixture = Mapping[str, Tensor]
"""For each group of decisions, the weight of each choice, (decisions, choices)."""

Active = Mapping[str, Sequence[Sequence[int]]]
"""For each group, which choices of each decision are computed, by their places; others are skipped."""


class Supernet(nn.Module, ABC):
    """All architectures of a space in one network with shared weights."""

    space: Space

    @abstractmethod
    def forward(self, x_BCHW: Tensor, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return logits (B, classes) for raw images, computing what is active alone; by default everything."""

    @abstractmethod
    def network(self, genotype: Genotype) -> nn.Module:
        """Return the genotype's network at the supernet's size, with new weights."""

    def inherit(self, genotype: Genotype) -> dict[str, Tensor]:
        """Return the state dict of the genotype's network with the supernet's weights.

        A narrower layer takes the first channels. Norms that here have no scale and shift get 1 and 0.
        """
        with torch.device("meta"):
            wanted = self.network(genotype).state_dict()
        state, origins = self.state_dict(), self.origins(genotype)
        inherited = {}
        for name, tensor in wanted.items():
            prefix = next((prefix for prefix in origins if name.startswith(prefix)), "")
            inherited[name] = _shared(
                state, origins.get(prefix, "") + name.removeprefix(prefix), tensor.shape
            )
        return inherited

    def origins(self, genotype: Genotype) -> Mapping[str, str]:
        """Return how names in the network's state dict begin and how in the supernet's, where they differ."""
        return {}


def _shared(state: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    """Return the tensor's leading slices, or what a norm without scale and shift stands for."""
    if name in state:
        return state[name][tuple(map(slice, shape))].clone()
    norm, _, kind = name.rpartition(".")
    return torch.full_like(state[f"{norm}.running_mean"][: shape[0]], float(kind == "weight"))


class MixedCell(nn.Module):
    """A cell whose nodes sum all primitives over all edges, each times its mixture weight.

    What does not depend on the edge is computed once for each source: the ReLU before convolutions, and the output
    of primitives that learn nothing. This equals the textbook sum, in which each edge computes its own.
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
        self.everything = [range(len(space.primitives))] * len(space.edges)
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

    def origin(self, source: int, node: int, primitive: str) -> str:
        """Return the name of the module that applies the primitive on the edge."""
        edge = self.edges.index((source, node))
        learning: nn.ModuleDict = self.on_edges[edge]  # type: ignore[assignment]
        return f"on_edges.{edge}.{primitive}" if primitive in learning else f"on_sources.{source}-{primitive}"

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


class DartsSupernet(Skeleton, Supernet):
    """All DARTS cells in one network.

    Args:
        task: what to classify.
        space: which architectures.
        num_cells: cells to stack.
        channels: of the first cell's nodes.
        primitives: how to build each primitive of the space.
    """

    space: Darts

    def __init__(
        self,
        task: ImageTask,
        space: Darts,
        *,
        num_cells: int,
        channels: int,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        super().__init__(
            task, num_cells=num_cells, channels=channels, num_nodes=space.num_nodes, affine=False
        )
        self.space = space
        self.channels = channels
        self.primitives = primitives
        self.cells = nn.ModuleList(
            MixedCell(space, place.channels, place.reduces, primitives) for place in self.places
        )

    def forward(self, x_BCHW: Tensor, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return logits (B, classes) for raw images, computing what is active alone; by default everything."""
        older = newer = self.stem(self.standardise(x_BCHW))
        for place, inputs, cell in zip(self.places, self.inputs, self.cells, strict=True):
            chosen = active[place.kind] if active else None
            older, newer = newer, cell(inputs(older, newer), mixture[place.kind], chosen)
        return self._classify(newer)

    def network(self, genotype: Genotype) -> Network:
        """Return the genotype's network at the supernet's size, with new weights."""
        return Network(
            self.task,
            genotype,
            num_cells=len(self.places),
            channels=self.channels,
            primitives=self.primitives,
        )

    def origins(self, genotype: Genotype) -> Mapping[str, str]:
        """Return where each edge's primitive stands in the network and in the supernet."""
        return {
            f"cells.{index}.primitives.{position}.": f"cells.{index}.{cell.origin(*edge)}."  # type: ignore[operator]
            for index, (place, cell) in enumerate(zip(self.places, self.cells, strict=True))
            for position, edge in enumerate(
                (edge.source, node, edge.primitive)
                for node, edges in enumerate(genotype.cells[place.kind].nodes)
                for edge in edges
            )
        }
