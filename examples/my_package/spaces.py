"""A search space of your own. It needs no torch, so that a small suggestion service can sample from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import Field

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces import CELL, ProductSpace, Taken
from cellwright.spec import SpaceSection

ACTIVATIONS = ("relu", "silu", "tanh")


class ActivationsSection(SpaceSection):
    """What a spec says of the space: `kind: my_package.spaces:ActivationsSection`, and its sizes."""

    implementation = "my_package.spaces:Activations"
    networks = "my_package.networks:ActivationNetworks"

    num_layers: int = Field(default=4, ge=1)
    channels: int = Field(default=16, ge=1)


@dataclass(frozen=True)
class Activations(ProductSpace):
    """A stack of convolutions, each followed by the activation that suits it."""

    num_layers: int

    name = "activations"

    @classmethod
    def of(cls, section: ActivationsSection) -> Self:
        """Build the space of a section."""
        return cls(num_layers=section.num_layers)

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return one decision for each layer, between all activations."""
        return {"activation": (self.num_layers, len(ACTIVATIONS))}

    def genotype(self, taken: Taken) -> Genotype:
        """Return a cell in which each node reads the one before."""
        nodes = tuple((Edge(layer, ACTIVATIONS[choice]),) for layer, choice in enumerate(taken["activation"]))
        return Genotype(space=self.name, cells={CELL: Cell(num_inputs=1, nodes=nodes)})

    def taken(self, genotype: Genotype) -> Taken:
        """Return the activations' places."""
        cell = self.only_cell(genotype, num_nodes=self.num_layers)
        taken = {"activation": [ACTIVATIONS.index(edge.primitive) for (edge,) in cell.nodes]}
        if self.genotype(taken) != genotype:
            raise GenotypeError(f"each layer must read the one before, got {genotype.to_line()}")
        return taken
