"""The networks of chains: Pham et al. 2018, https://arxiv.org/abs/1802.03268.

A layer concatenates its input maps, reduces them to its width by a 1×1 convolution, and applies its primitive. Here,
concatenation and convolution are written as the equivalent sum of one convolution for each map. The layers at a third
and at two thirds of the depth halve the size: from there on, earlier maps are average-pooled before they are read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.nn.dropping import Droppable
from cellwright.nn.heads import read_out
from cellwright.nn.positions import cell_positions
from cellwright.nn.primitives import PRIMITIVES, Norm, Primitive, PrimitiveFactory, load_primitives
from cellwright.nn.slimming import Slimmable, leading
from cellwright.spaces import CELL
from cellwright.spaces.chain.section import ChainSection
from cellwright.spaces.chain.space import Chain
from cellwright.spaces.networks import Networks
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.tasks.base import Task

T = TypeVar("T")
Weighted = Sequence[tuple[T, Tensor | None]]
"""Items to compute, and the weight of each in the sum; None for 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The choices that a layer has weights for: all of them in a supernet, one primitive and one width in a network."""

    sources: Sequence[int]
    primitives: Sequence[str]
    widths: Sequence[int]
    """In percent of the channels at this position."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """The choices of a layer to compute."""

    sources: Weighted[int]
    primitives: Weighted[str]
    widths: Weighted[int]
    """In channels."""


class FeatureMaps:
    """The outputs so far, after ReLU. Each is pooled to the current size when it is first read."""

    def __init__(self) -> None:
        self._maps: list[Tensor] = []
        self._halvings: list[int] = []
        self.halvings = 0

    def append(self, x_BCHW: Tensor) -> None:
        """Add the output of the latest layer."""
        self._maps.append(torch.relu(x_BCHW))
        self._halvings.append(self.halvings)

    def __getitem__(self, source: int) -> Tensor:
        while self._halvings[source] < self.halvings:
            self._maps[source] = functional.avg_pool2d(self._maps[source], 2, ceil_mode=True)
            self._halvings[source] += 1
        return self._maps[source]


class ChainLayer(nn.Module):
    """One layer. Narrower widths use the leading channels of the widest one."""

    def __init__(
        self,
        options: Options,
        channels: int,
        channels_before: Sequence[int],
        primitives: Mapping[str, PrimitiveFactory],
        affine: bool,
    ) -> None:
        super().__init__()
        self.widths = [max(1, round(channels * width / 100)) for width in options.widths]
        self.projections = nn.ModuleDict(
            {
                str(source): nn.Conv2d(channels_before[source], max(self.widths), 1, bias=False)
                for source in options.sources
            }
        )
        self.norm = Slimmable(lambda width: Norm(width, affine), self.widths)
        self.primitives = nn.ModuleDict()
        self.reads_relu: dict[str, bool] = {}
        for name in options.primitives:
            primitive = Slimmable(_at_stride_1(primitives[name], affine), self.widths)
            self.primitives[name] = primitive
            self.reads_relu[name] = bool(primitive.widest.reads_relu)

    def forward(self, maps: FeatureMaps, choices: Choices) -> Tensor:
        """Return a map with the channels of the widest chosen width; narrower ones are padded with zeros."""
        widest = max(width for width, _ in choices.widths)
        x_BCHW = self.norm(
            _sum((self._project(source, maps[source], widest), weight) for source, weight in choices.sources)
        )
        read = {
            reads_relu: torch.relu(x_BCHW) if reads_relu else x_BCHW
            for reads_relu in {self.reads_relu[name] for name, _ in choices.primitives}
        }
        outputs = []
        for width, weight in choices.widths:
            output = _sum(
                (self.primitives[name](_resized(read[self.reads_relu[name]], width)), weight)
                for name, weight in choices.primitives
            )
            outputs.append((_resized(output, widest), weight))
        return _sum(outputs)

    def _project(self, source: int, x_BCHW: Tensor, width: int) -> Tensor:
        projection: Tensor = self.projections[str(source)].weight  # type: ignore[assignment]
        return functional.conv2d(x_BCHW, leading(projection, width, x_BCHW.shape[1]))


def _at_stride_1(build: PrimitiveFactory, affine: bool) -> Callable[[int], Primitive]:
    return lambda channels: build(channels, 1, affine)


def _resized(x_BCHW: Tensor, channels: int) -> Tensor:
    """Return the map, truncated or zero-padded to the number of channels."""
    missing = channels - x_BCHW.shape[1]
    return functional.pad(x_BCHW, (0, 0, 0, 0, 0, missing)) if missing else x_BCHW


def _sum(terms: Iterable[tuple[Tensor, Tensor | None]]) -> Tensor:
    weighted = [term if weight is None else weight * term for term, weight in terms]
    return sum(weighted[1:], weighted[0])


class ChainSkeleton(nn.Module):
    """Stem, layers and classifier."""

    def __init__(
        self,
        task: Task,
        options: Sequence[Options],
        *,
        channels: int,
        primitives: Mapping[str, PrimitiveFactory],
        affine: bool,
    ) -> None:
        super().__init__()
        self.adapter = task.adapter()
        self.stem = nn.Sequential(
            nn.Conv2d(task.map_shape[0], channels, 3, padding=1, bias=False), Norm(channels, affine=True)
        )
        self.positions = cell_positions(len(options), channels)
        self.layers = nn.ModuleList()
        self.widths: list[list[int]] = []
        channels_before = [channels]
        for position, layer_options in zip(self.positions, options, strict=True):
            layer = ChainLayer(layer_options, position.channels, channels_before, primitives, affine)
            self.layers.append(layer)
            self.widths.append(layer.widths)
            channels_before.append(max(layer.widths))
        self.head = Slimmable(task.head, self.widths[-1])

    def _outputs(self, inputs: Inputs, choices: Iterable[Choices]) -> Tensor:
        maps = FeatureMaps()
        maps.append(self.stem(self.adapter(*inputs)))
        for position, layer, chosen in zip(self.positions, self.layers, choices, strict=True):
            maps.halvings += position.reduces
            maps.append(layer(maps, chosen))
        return read_out(self.head, maps[len(self.layers)], inputs)


class ChainNetwork(ChainSkeleton, Droppable):
    """A genotype's network, from raw inputs to outputs, with drop path on its skip connections.

    Args:
        task: the task of the network.
        genotype: the architecture.
        channels: channels of the stem, and of a first layer of 100 % width; doubled with each halving of the size.
        primitives: builds each primitive, by name.
    """

    def __init__(
        self,
        task: Task,
        genotype: Genotype,
        *,
        channels: int,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        cell = genotype.cells[CELL]
        assert cell.widths is not None
        options = [
            Options(sources=[edge.source for edge in node], primitives=[node[0].primitive], widths=[width])
            for node, width in zip(cell.nodes, cell.widths, strict=True)
        ]
        super().__init__(task, options, channels=channels, primitives=primitives, affine=True)
        self.choices = [
            Choices(
                sources=[(source, None) for source in layer.sources],
                primitives=[(name, None) for name in layer.primitives],
                widths=[(width, None) for width in widths],
            )
            for layer, widths in zip(options, self.widths, strict=True)
        ]

    @property
    def num_paths(self) -> int:
        """Return the number of skip connections."""
        return sum(len(choices.sources) - 1 for choices in self.choices)

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return the outputs for raw inputs."""
        return self._outputs(inputs, self.choices if kept_PB is None else self._kept(kept_PB))

    def _kept(self, kept_PB: Tensor) -> Iterator[Choices]:
        paths = iter(kept_PB[:, :, None, None, None])
        for layer, choices in enumerate(self.choices):
            sources = [(source, None if source == layer else next(paths)) for source, _ in choices.sources]
            yield replace(choices, sources=sources)


class ChainSupernet(ChainSkeleton, Supernet):
    """All chains of a space in one network; the other arguments are those of the network."""

    space: Chain

    def __init__(
        self,
        task: Task,
        space: Chain,
        *,
        channels: int,
        primitives: Mapping[str, PrimitiveFactory] = PRIMITIVES,
    ) -> None:
        options = [
            Options(sources=range(layer + 1), primitives=space.primitives, widths=space.widths)
            for layer in range(space.num_layers)
        ]
        super().__init__(task, options, channels=channels, primitives=primitives, affine=False)
        self.task, self.space, self.channels, self.choice_of_primitives = task, space, channels, primitives

    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return the outputs for raw inputs. Computes only the active choices; by default, all."""
        active = active or {
            group: [range(num_choices)] * num_decisions
            for group, (num_decisions, num_choices) in self.space.decisions.items()
        }
        choices = [
            Choices(
                sources=self._read(index, mixture[Chain.INPUT], active[Chain.INPUT]),
                primitives=[
                    (self.space.primitives[choice], mixture[Chain.PRIMITIVE][index, choice])
                    for choice in active[Chain.PRIMITIVE][index]
                ],
                widths=[
                    (widths[choice], mixture[Chain.WIDTH][index, choice])
                    for choice in active[Chain.WIDTH][index]
                ],
            )
            for index, widths in enumerate(self.widths)
        ]
        return self._outputs(inputs, choices)

    def network(self, genotype: Genotype) -> ChainNetwork:
        """Return the genotype's network at the supernet's size, with initial weights."""
        return ChainNetwork(self.task, genotype, channels=self.channels, primitives=self.choice_of_primitives)

    def _read(
        self, layer: int, mixture_P2: Tensor, active: Sequence[Sequence[int]]
    ) -> list[tuple[int, Tensor | None]]:
        """Return the layer before, and the active skip connections."""
        chosen: list[tuple[int, Tensor | None]] = [
            (source, mixture_P2[pair, Chain.READ])
            for pair, (source, reader) in enumerate(self.space.pairs)
            if reader == layer and Chain.READ in active[pair]
        ]
        return [*chosen, (layer, None)]


class ChainNetworks(Networks):
    """Builds the supernet and networks of chains."""

    def supernet(self, section: ChainSection, task: Task, *, channel_fraction: float) -> Supernet:
        """Return the supernet."""
        return ChainSupernet(
            task,
            Chain.of(section),
            channels=section.channels,
            primitives=load_primitives(section.primitives),
        )

    def network(self, section: ChainSection, task: Task, genotype: Genotype) -> nn.Module:
        """Return the network of a genotype."""
        return ChainNetwork(
            task, genotype, channels=section.channels, primitives=load_primitives(section.primitives)
        )
