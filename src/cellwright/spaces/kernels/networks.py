"""Residual networks with searched kernels, and their supernet."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.nn.dropping import Droppable, times_kept
from cellwright.nn.heads import read_out
from cellwright.nn.primitives import Norm
from cellwright.spaces.kernels.section import KernelsSection
from cellwright.spaces.kernels.space import LAYERS_PER_BLOCK, Kernels
from cellwright.spaces.networks import Networks
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.tasks.base import Task


class KernelConvolutions(nn.Module):
    """A layer: convolutions of several shapes, whose weighted sum is computed as one convolution, then a norm.

    On maps of height 1, kernels have height 1 too, to avoid computation outside the map.
    """

    def __init__(
        self, before: int, channels: int, shapes: Mapping[str, tuple[int, int]], *, height: int
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleDict(
            {
                name: nn.Conv2d(
                    before,
                    channels,
                    (1 if height == 1 else size, size),
                    padding=(0 if height == 1 else size // 2 * dilation, size // 2 * dilation),
                    dilation=dilation,
                    bias=False,
                )
                for name, (size, dilation) in shapes.items()
            }
        )
        self.norm = Norm(channels, affine=True)

    def forward(self, x_BCHW: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the normalised sum; without `weights`, each convolution has weight 1."""
        terms = (
            [conv(x_BCHW) for conv in self.convs.values()]
            if weights is None
            else [weight * self.convs[name](x_BCHW) for name, weight in weights.items()]
        )
        normalised: Tensor = self.norm(sum(terms[1:], terms[0]))
        return normalised


class KernelBlock(nn.Module):
    """Two layers with a shortcut."""

    def __init__(
        self,
        before: int,
        channels: int,
        shapes: Sequence[Mapping[str, tuple[int, int]]],
        *,
        height: int,
    ) -> None:
        super().__init__()
        widths = [before] + [channels] * (LAYERS_PER_BLOCK - 1)
        self.layers = nn.ModuleList(
            KernelConvolutions(width, channels, of_layer, height=height)
            for width, of_layer in zip(widths, shapes, strict=True)
        )
        self.shortcut = nn.Sequential(nn.Conv2d(before, channels, 1, bias=False), Norm(channels, affine=True))

    def forward(
        self,
        x_BCHW: Tensor,
        weights: Sequence[Mapping[str, Tensor] | None] = (None,) * LAYERS_PER_BLOCK,
        kept_B: Tensor | None = None,
    ) -> Tensor:
        """Return the ReLU of the sum of branch and shortcut; for dropped examples, of the shortcut alone."""
        y_BCHW = x_BCHW
        for number, (layer, of_layer) in enumerate(zip(self.layers, weights, strict=True)):
            y_BCHW = layer(torch.relu(y_BCHW) if number else y_BCHW, of_layer)
        if kept_B is not None:
            y_BCHW = times_kept(y_BCHW, kept_B)
        return torch.relu(y_BCHW + self.shortcut(x_BCHW))


class KernelSkeleton(nn.Module):
    """Adapter, blocks and head; the caller supplies the convolutions of the layers."""

    def __init__(
        self, task: Task, section: KernelsSection, shapes: Sequence[Mapping[str, tuple[int, int]]]
    ) -> None:
        super().__init__()
        in_channels, height, _ = task.map_shape
        widths = [section.channels] + [2 * section.channels] * (section.num_blocks - 1)
        self.adapter = task.adapter()
        self.blocks = nn.ModuleList(
            KernelBlock(
                before,
                width,
                shapes[LAYERS_PER_BLOCK * number : LAYERS_PER_BLOCK * (number + 1)],
                height=height,
            )
            for number, (before, width) in enumerate(zip([in_channels, *widths], widths, strict=False))
        )
        self.head = task.head(widths[-1])


class KernelNetwork(KernelSkeleton, Droppable):
    """A genotype's network, from raw inputs to outputs, with drop path on its blocks."""

    def __init__(self, task: Task, section: KernelsSection, genotype: Genotype) -> None:
        space = Kernels.of(section)
        chosen = [space.shapes[choice] for choice in space.taken(genotype)[space.KERNEL]]
        super().__init__(task, section, [{"chosen": shape} for shape in chosen])

    @property
    def num_paths(self) -> int:
        """Return the number of blocks."""
        return len(self.blocks)

    def forward(self, *inputs: Tensor, kept_PB: Tensor | None = None) -> Tensor:
        """Return the outputs for raw inputs."""
        x_BCHW = self.adapter(*inputs)
        for number, block in enumerate(self.blocks):
            x_BCHW = block(x_BCHW, kept_B=None if kept_PB is None else kept_PB[number])
        return read_out(self.head, x_BCHW, inputs)


class KernelSupernet(KernelSkeleton, Supernet):
    """All kernels in every layer, each multiplied by its weight in the mixture."""

    def __init__(self, task: Task, section: KernelsSection) -> None:
        space = Kernels.of(section)
        shapes = {str(index): shape for index, shape in enumerate(space.shapes)}
        super().__init__(task, section, [shapes] * space.num_layers)
        self.task, self.section = task, section
        self.space: Kernels = space

    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return the outputs for raw inputs. Computes only the active choices; by default, all."""
        rows = mixture[Kernels.KERNEL]
        chosen = active[Kernels.KERNEL] if active else [range(rows.shape[1])] * rows.shape[0]
        weights = [
            {str(choice): row[choice] for choice in choices}
            for row, choices in zip(rows, chosen, strict=True)
        ]
        x_BCHW = self.adapter(*inputs)
        for number, block in enumerate(self.blocks):
            x_BCHW = block(x_BCHW, weights[LAYERS_PER_BLOCK * number : LAYERS_PER_BLOCK * (number + 1)])
        return read_out(self.head, x_BCHW, inputs)

    def network(self, genotype: Genotype) -> KernelNetwork:
        """Return the genotype's network, with initial weights."""
        return KernelNetwork(self.task, self.section, genotype)

    def origins(self, genotype: Genotype) -> Mapping[str, str]:
        """Map prefixes of names in the network's state dict to the supernet's, where they differ."""
        origins = {}
        for layer, choice in enumerate(self.space.taken(genotype)[Kernels.KERNEL]):
            block, index = divmod(layer, LAYERS_PER_BLOCK)
            convs = f"blocks.{block}.layers.{index}.convs."
            origins[f"{convs}chosen."] = f"{convs}{choice}."
        return origins


class KernelNetworks(Networks):
    """Builds the supernet and residual networks at the section's size."""

    def supernet(self, section: KernelsSection, task: Task, *, channel_fraction: float) -> KernelSupernet:
        """Return the supernet."""
        return KernelSupernet(task, section)

    def network(self, section: KernelsSection, task: Task, genotype: Genotype) -> KernelNetwork:
        """Return the network of a genotype."""
        return KernelNetwork(task, section, genotype)
