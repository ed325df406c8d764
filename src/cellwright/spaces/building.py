"""`network.json`: which network a file of weights belongs to."""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from cellwright.genotype import Genotype
from cellwright.nn.initialising import seeded_initialisation
from cellwright.results import Result
from cellwright.spaces.networks import build_network
from cellwright.spec import SPACES, SpaceSection
from cellwright.tasks.images.resnet import ResNet
from cellwright.tasks.images.task import ImageTask


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
    space: Annotated[SpaceSection, SPACES]


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
