"""`network.json`: which network a file of weights belongs to."""

from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from cellwright.genotype import GenotypeLine
from cellwright.nn.initialising import seeded_initialisation
from cellwright.results import Result
from cellwright.spaces.networks import build_network
from cellwright.spec import SPACES, SpaceSection
from cellwright.tasks.base import AnyTask


class GenotypeNetworkConfig(Result):
    """A genotype's network, at the size that the space's section says."""

    kind: Literal["genotype"] = "genotype"
    task: AnyTask
    genotype: GenotypeLine
    space: Annotated[SpaceSection, SPACES]

    def build(self) -> nn.Module:
        """Return the network with new weights."""
        return build_network(self.space, self.task, self.genotype)


class HandDesignedConfig(Result):
    """One of the task's hand-designed networks."""

    kind: Literal["hand-designed"] = "hand-designed"
    task: AnyTask
    name: str
    settings: dict[str, Any]

    def build(self) -> nn.Module:
        """Return the network with new weights."""
        return self.task.build_hand_designed(self.name, self.settings)


class NetworkConfig(Result):
    """`network.json`: which network a file of weights belongs to."""

    network: Annotated[GenotypeNetworkConfig | HandDesignedConfig, Field(discriminator="kind")]

    def build(self, *, seed: int) -> nn.Module:
        """Return the network with initial weights that follow from the seed."""
        with seeded_initialisation(seed):
            return self.network.build()
