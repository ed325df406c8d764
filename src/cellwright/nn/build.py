"""Networks from a description that can be written down, so that weights find their network again."""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from cellwright.genotype import Genotype
from cellwright.nn.network import Network
from cellwright.nn.resnet import ResNet
from cellwright.nn.skeleton import ImageTask, seeded_initialisation
from cellwright.results import Result


class TaskConfig(Result):
    """An `ImageTask` as JSON."""

    image_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def build(self) -> ImageTask:
        """Return the task."""
        return ImageTask(**self.model_dump())


class CellNetworkConfig(Result):
    """A genotype's network."""

    kind: Literal["cells"] = "cells"
    task: TaskConfig
    genotype: str
    num_cells: int
    channels: int


class ResNetConfig(Result):
    """A hand-designed residual network."""

    kind: Literal["resnet"] = "resnet"
    task: TaskConfig
    channels: int


class NetworkConfig(Result):
    """`network.json`: which network a file of weights belongs to."""

    network: Annotated[CellNetworkConfig | ResNetConfig, Field(discriminator="kind")]

    def build(self, *, seed: int) -> nn.Module:
        """Return the network with initial weights that follow from the seed."""
        with seeded_initialisation(seed):
            match self.network:
                case CellNetworkConfig() as config:
                    genotype = Genotype.from_line(config.genotype)
                    return Network(
                        config.task.build(), genotype, num_cells=config.num_cells, channels=config.channels
                    )
                case ResNetConfig() as config:
                    return ResNet(config.task.build(), channels=config.channels)
