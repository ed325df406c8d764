"""The networks of NAS-Bench-201: Dong & Yang 2020, https://arxiv.org/abs/2001.00326.

The skeleton has the benchmark's layers, so parameter counts equal the published ones.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.nn.dropping import Droppable, times_kept
from cellwright.nn.primitives import PRIMITIVES, Norm, Primitive, PrimitiveFactory
from cellwright.nn.wide import is_worthwhile, wide_outputs
from cellwright.spaces import CELL
from cellwright.spaces.darts.feature import Feature
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.nasbench201.space import SKIP, NasBench201
from cellwright.spaces.networks import Networks
from cellwright.spaces.supernet import Active, Mixture, Supernet, mixed_channels
from cellwright.tasks.base import Task

NUM_STAGES, NUM_NODES = 3, 3


class AveragePool(Primitive):
    """3×3 average pooling without the standardisation of DARTS."""

    reads_relu = False
    has_weights = False

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the pooled map."""
        pooled: Tensor = self.pool(x_BCHW)
        return pooled


BENCHMARK_PRIMITIVES: Mapping[str, PrimitiveFactory] = {
    name: PRIMITIVES[name] for name in ("skip_connect", "nor_conv_1x1", "nor_conv_3x3")
} | {"avg_pool_3x3": lambda channels, stride, affine: AveragePool()}
"""All primitives except `none`, which needs no module."""


class BenchmarkCell(nn.Module):
    """A cell whose edges have all primitives in a supernet, and one each in a network."""

    def __init__(self, on_edges: Sequence[Iterable[str]], channels: int, affine: bool) -> None:
        super().__init__()
        self.on_edges = nn.ModuleList(
            nn.ModuleDict(
                {
                    name: build(channels, 1, affine)
                    for name, build in BENCHMARK_PRIMITIVES.items()
                    if name in names
                }
            )
            for names in on_edges
        )

    def forward(
        self,
        x_BCHW: Tensor,
        mixture_EP: Tensor | None = None,
        active: Sequence[Sequence[int]] | None = None,
        kept_EB: Tensor | None = None,
    ) -> Tensor:
        """Return the last node. Without a mixture, each primitive has weight 1.

        Each edge except skips is multiplied by a factor for each example, if given.
        """
        nodes, features = [x_BCHW], [self._read(0, x_BCHW, active)]
        for node in range(NUM_NODES):
            terms = [
                term
                for edge, (source, end) in enumerate(NasBench201.edges)
                if end == node
                for term in self._terms(edge, nodes[source], features[source], mixture_EP, active, kept_EB)
            ]
            nodes.append(sum(terms[1:], terms[0]) if terms else torch.zeros_like(x_BCHW))
            features.append(self._read(node + 1, nodes[-1], active))
        return nodes[-1]

    def _read(self, source: int, x_BCHW: Tensor, active: Sequence[Sequence[int]] | None) -> Feature:
        """Return the part of a node that goes through primitives, with the outputs that several edges share."""
        feature = self._mixed(x_BCHW)
        if is_worthwhile(x_BCHW):
            chosen = [
                primitives[name]  # type: ignore[index]
                for edge, primitives in enumerate(self.on_edges)
                if NasBench201.edges[edge][0] == source
                for name in self._active(edge, active)
            ]
            feature.wide = wide_outputs(dict.fromkeys(chosen), feature.rectified)
        return feature

    def _active(self, edge: int, active: Sequence[Sequence[int]] | None) -> Iterator[str]:
        for index, name in enumerate(NasBench201.primitives):
            if name in self.on_edges[edge] and (active is None or index in active[edge]):  # type: ignore[operator]
                yield name

    def _mixed(self, x_BCHW: Tensor) -> Feature:
        """Return the part of a node that goes through primitives."""
        return Feature(x_BCHW)

    def _terms(
        self,
        edge: int,
        x_BCHW: Tensor,
        mixed: Feature,
        mixture_EP: Tensor | None,
        active: Sequence[Sequence[int]] | None,
        kept_EB: Tensor | None,
    ) -> Iterator[Tensor]:
        """Yield the terms that an edge adds to its node."""
        primitives: nn.ModuleDict = self.on_edges[edge]  # type: ignore[assignment]
        for name in self._active(edge, active):
            output = mixed.apply(name, primitives[name])  # type: ignore[arg-type]
            if kept_EB is not None and name != SKIP:
                output = times_kept(output, kept_EB[edge])
            index = NasBench201.primitives.index(name)
            yield output if mixture_EP is None else mixture_EP[edge, index] * output


class PartialBenchmarkCell(BenchmarkCell):
    """A supernet's cell that passes only the first channels of each node through its primitives.

    PC-DARTS: Xu et al. 2020, https://arxiv.org/abs/1907.05737. As in the partial cell of DARTS, the other channels are
    weighted on each edge by the sum of the weights of its choices, including `none`, and the mixed ones move behind
    them.
    """

    def __init__(self, on_edges: Sequence[Iterable[str]], channels: int, fraction: float) -> None:
        self.channels = mixed_channels(channels, fraction)
        super().__init__(on_edges, self.channels, affine=False)

    def _mixed(self, x_BCHW: Tensor) -> Feature:
        return Feature(x_BCHW[:, : self.channels])

    def _terms(
        self,
        edge: int,
        x_BCHW: Tensor,
        mixed: Feature,
        mixture_EP: Tensor | None,
        active: Sequence[Sequence[int]] | None,
        kept_EB: Tensor | None,
    ) -> Iterator[Tensor]:
        assert mixture_EP is not None, "all channels of a network are mixed"
        terms = list(super()._terms(edge, x_BCHW, mixed, mixture_EP, active, kept_EB))
        total = sum(terms[1:], terms[0]) if terms else torch.zeros_like(mixed.x_BCHW)
        yield torch.cat([mixture_EP[edge].sum() * x_BCHW[:, self.channels :], total], dim=1)


class Reduction(nn.Module):
    """A residual block that doubles the channels and halves height and width, rounded up."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _relu_conv_norm(in_channels, channels, stride=2), _relu_conv_norm(channels, channels, stride=1)
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(in_channels, channels, 1, bias=False)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the sum of branch and shortcut."""
        summed: Tensor = self.residual(x_BCHW) + self.shortcut(x_BCHW)
        return summed


def _relu_conv_norm(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
        Norm(channels, affine=True),
    )


class BenchmarkSkeleton(nn.Module):
    """Stem, three stages of cells with reductions between them, and classifier."""

    def __init__(
        self,
        task: Task,
        on_edges: Sequence[Iterable[str]],
        *,
        num_cells: int,
        channels: int,
        affine: bool,
        channel_fraction: float = 1.0,
    ) -> None:
        super().__init__()
        widths = [channels * 2**stage for stage in range(NUM_STAGES)]
        self.adapter = task.adapter()
        self.stem = nn.Sequential(
            nn.Conv2d(task.map_shape[0], channels, 3, padding=1, bias=False), Norm(channels, affine=True)
        )
        self.reductions = nn.ModuleList(
            [nn.Identity(), *(Reduction(narrow, wide) for narrow, wide in itertools.pairwise(widths))]
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(
                BenchmarkCell(on_edges, width, affine)
                if channel_fraction == 1
                else PartialBenchmarkCell(on_edges, width, channel_fraction)
                for _ in range(num_cells)
            )
            for width in widths
        )
        self.last = nn.Sequential(Norm(widths[-1], affine=True), nn.ReLU())
        self.head = task.head(widths[-1])

    @property
    def num_cells(self) -> int:
        """Return the number of cells of all stages."""
        return sum(map(len, self.stages))  # type: ignore[arg-type]

    def _outputs(
        self,
        inputs: Inputs,
        mixture_EP: Tensor | None = None,
        active: Sequence[Sequence[int]] | None = None,
        kept_CEB: Sequence[Tensor | None] | None = None,
    ) -> Tensor:
        x_BCHW = self.stem(self.adapter(*inputs))
        kept = iter(kept_CEB or [None] * self.num_cells)
        for reduction, cells in zip(self.reductions, self.stages, strict=True):
            x_BCHW = reduction(x_BCHW)
            for cell in cells:  # type: ignore[attr-defined]
                x_BCHW = cell(x_BCHW, mixture_EP, active, next(kept))
        outputs: Tensor = self.head(self.last(x_BCHW).mean(dim=(2, 3)))
        return outputs


class NasBench201Network(BenchmarkSkeleton, Droppable):
    """A genotype's network, from raw inputs to outputs, with drop path on its edges.

    Args:
        task: the task of the network.
        genotype: the architecture.
        num_cells: cells in each stage; 5 in the benchmark.
        channels: channels of the first stage; 16 in the benchmark.
    """

    def __init__(self, task: Task, genotype: Genotype, *, num_cells: int, channels: int) -> None:
        space = NasBench201()
        on_edges = [[space.primitives[choice]] for choice in space.taken(genotype)[CELL]]
        super().__init__(task, on_edges, num_cells=num_cells, channels=channels, affine=True)

    @property
    def num_paths(self) -> int:
        """Return the number of edges of all cells."""
        return self.num_cells * len(NasBench201.edges)

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return the outputs for raw inputs."""
        kept_CEB = None if kept_PB is None else kept_PB.split(len(NasBench201.edges))  # type: ignore[no-untyped-call]
        return self._outputs(inputs, kept_CEB=kept_CEB)


class NasBench201Supernet(BenchmarkSkeleton, Supernet):
    """All cells in one network.

    Args:
        task: the task of the network.
        num_cells: cells in each stage.
        channels: channels of the first stage.
        channel_fraction: the fraction of channels that go through the primitives.
    """

    def __init__(self, task: Task, *, num_cells: int, channels: int, channel_fraction: float = 1.0) -> None:
        self.space = NasBench201()
        super().__init__(
            task,
            [self.space.primitives] * len(self.space.edges),
            num_cells=num_cells,
            channels=channels,
            affine=False,
            channel_fraction=channel_fraction,
        )
        self.task, self.cells_per_stage, self.channels = task, num_cells, channels

    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return the outputs for raw inputs. Computes only the active choices; by default, all."""
        return self._outputs(inputs, mixture[CELL], active[CELL] if active else None)

    def network(self, genotype: Genotype) -> NasBench201Network:
        """Return the genotype's network at the supernet's size, with initial weights."""
        return NasBench201Network(self.task, genotype, num_cells=self.cells_per_stage, channels=self.channels)


class NasBench201Networks(Networks):
    """Builds the supernet and networks, with three stages of cells."""

    has_partial_channels = True

    def supernet(self, section: NasBench201Section, task: Task, *, channel_fraction: float) -> Supernet:
        """Return the supernet."""
        return NasBench201Supernet(
            task, num_cells=section.num_cells, channels=section.channels, channel_fraction=channel_fraction
        )

    def network(self, section: NasBench201Section, task: Task, genotype: Genotype) -> nn.Module:
        """Return the network of a genotype."""
        return NasBench201Network(task, genotype, num_cells=section.num_cells, channels=section.channels)
