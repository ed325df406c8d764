"""`network.json`: the network that a file of weights belongs to."""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import device, nn

from cellwright.genotype import GenotypeLine
from cellwright.nn.cost import count_params
from cellwright.nn.initialising import seeded_initialisation
from cellwright.results import Result
from cellwright.spaces.networks import build_network
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.members import of_size, small
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spaces.stages.space import only
from cellwright.spec import SPACES, SpaceSection
from cellwright.tasks.base import AnyTask


class GenotypeNetworkConfig(Result):
    """The network of a genotype, at the size of the space's section."""

    kind: Literal["genotype"] = "genotype"
    task: AnyTask
    genotype: GenotypeLine
    space: Annotated[SpaceSection, SPACES]

    def build(self) -> nn.Module:
        """Return the network with initial weights."""
        return build_network(self.space, self.task, self.genotype)


class HandDesignedConfig(Result):
    """A hand-designed network that only the task can build."""

    kind: Literal["hand-designed"] = "hand-designed"
    task: AnyTask
    name: str
    settings: dict[str, Any]

    def build(self) -> nn.Module:
        """Return the network with initial weights."""
        return self.task.build_hand_designed(self.name, self.settings)


class NetworkConfig(Result):
    """`network.json`: the network that a file of weights belongs to."""

    network: Annotated[GenotypeNetworkConfig | HandDesignedConfig, Field(discriminator="kind")]

    def build(self, *, seed: int) -> nn.Module:
        """Return the network with initial weights derived from the seed."""
        with seeded_initialisation(seed):
            return self.network.build()


def hand_designed_network(task: AnyTask, name: str, params: int) -> NetworkConfig:
    """Return a hand-designed network with about `params` parameters.

    If it is one of `spaces.stages.members.SMALL`, it is a genotype of stages; otherwise the task builds it.
    """
    known = small(max(task.map_shape[1:]))
    if name not in known:
        settings = dict(task.hand_designed(name, params))
        return NetworkConfig(network=HandDesignedConfig(task=task, name=name, settings=settings))

    @cache
    def size(design: Design) -> int:
        with device("meta"):
            return count_params(StagesNetwork(task, design))

    design = of_size(known[name], size, params)
    return NetworkConfig(
        network=GenotypeNetworkConfig(task=task, genotype=design.genotype, space=only(design))
    )
