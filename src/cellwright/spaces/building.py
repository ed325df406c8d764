"""From a spec's space to its supernet and networks, and from what was written down to the network of some weights.

The one place that knows which networks belong to which space.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.importing import load_class
from cellwright.nn.initialising import seeded_initialisation
from cellwright.nn.primitives import load_primitives
from cellwright.nn.trace import Cost, trace
from cellwright.results import Result
from cellwright.spaces import build_chain, build_darts, build_space
from cellwright.spaces.chain.networks import ChainNetwork, ChainSupernet
from cellwright.spaces.darts.network import Network
from cellwright.spaces.darts.supernet import DartsSupernet
from cellwright.spaces.nasbench201.networks import NasBench201Network, NasBench201Supernet
from cellwright.spaces.supernet import Supernet
from cellwright.spec import AnySpace, ChainSpace, CustomSpace, DartsSpace, NasBench201Space
from cellwright.tasks.images.resnet import ResNet
from cellwright.tasks.images.task import ImageTask


def build_supernet(section: AnySpace, task: ImageTask, *, channel_fraction: float = 1.0) -> Supernet:
    """Return the supernet of the space that a spec's `space` section describes.

    Args:
        section: the space.
        task: what to classify.
        channel_fraction: the share of channels that goes through the primitives.

    Raises:
        CellwrightError: the space's supernet cannot leave channels out.
    """
    if channel_fraction != 1 and not isinstance(section, DartsSpace | NasBench201Space):
        raise CellwrightError(
            f"partial channels (pc-darts) need space.kind darts or nasbench201, got {section.kind}"
        )
    match section:
        case DartsSpace():
            return DartsSupernet(
                task,
                build_darts(section),
                num_cells=section.num_cells,
                channels=section.channels,
                channel_fraction=channel_fraction,
                primitives=load_primitives(section.primitives),
            )
        case NasBench201Space():
            return NasBench201Supernet(
                task,
                num_cells=section.num_cells,
                channels=section.channels,
                channel_fraction=channel_fraction,
            )
        case ChainSpace():
            return ChainSupernet(
                task,
                build_chain(section),
                channels=section.channels,
                primitives=load_primitives(section.primitives),
            )
        case CustomSpace():
            supernet = load_class(section.supernet, Supernet)  # type: ignore[type-abstract]
            return supernet(task, build_space(section))


def build_network(section: AnySpace, task: ImageTask, genotype: Genotype) -> nn.Module:
    """Return the network of one of the space's genotypes; raises GenotypeError if it is none."""
    build_space(section).check(genotype)
    match section:
        case DartsSpace():
            return Network(
                task,
                genotype,
                num_cells=section.num_cells,
                channels=section.channels,
                primitives=load_primitives(section.primitives),
            )
        case NasBench201Space():
            return NasBench201Network(task, genotype, num_cells=section.num_cells, channels=section.channels)
        case ChainSpace():
            return ChainNetwork(
                task,
                genotype,
                channels=section.channels,
                primitives=load_primitives(section.primitives),
            )
        case CustomSpace():
            with torch.device("meta"):
                supernet = build_supernet(section, task)
            return supernet.network(genotype)


def trace_genotype(section: AnySpace, task: ImageTask, genotype: Genotype) -> Cost:
    """Return what a genotype's network costs; nothing of its size is allocated."""
    with torch.device("meta"):
        network = build_network(section, task, genotype)
    return trace(network, task.image_shape)


class TaskConfig(Result):
    """An `ImageTask` as JSON."""

    image_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def build(self) -> ImageTask:
        """Return the task."""
        return ImageTask(**self.model_dump())


class GenotypeNetworkConfig(Result):
    """A genotype's network, at the size that the space's section says."""

    kind: Literal["genotype"] = "genotype"
    task: TaskConfig
    genotype: str
    space: AnySpace


class ResNetConfig(Result):
    """A hand-designed residual network."""

    kind: Literal["resnet"] = "resnet"
    task: TaskConfig
    channels: int


class NetworkConfig(Result):
    """`network.json`: which network a file of weights belongs to."""

    network: Annotated[GenotypeNetworkConfig | ResNetConfig, Field(discriminator="kind")]

    def build(self, *, seed: int) -> nn.Module:
        """Return the network with initial weights that follow from the seed."""
        with seeded_initialisation(seed):
            match self.network:
                case GenotypeNetworkConfig() as config:
                    genotype = Genotype.from_line(config.genotype)
                    return build_network(config.space, config.task.build(), genotype)
                case ResNetConfig() as config:
                    return ResNet(config.task.build(), channels=config.channels)
