"""The supernet and the networks of the DARTS cell space."""

from torch import nn

from cellwright.genotype import Genotype
from cellwright.nn.primitives import load_primitives
from cellwright.spaces.darts.network import Network
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.darts.supernet import DartsSupernet
from cellwright.spaces.networks import Networks
from cellwright.spaces.supernet import Supernet
from cellwright.tasks.base import Task


class DartsNetworks(Networks):
    """Builds the supernet and networks of stacked DARTS cells."""

    has_partial_channels = True

    def supernet(self, section: DartsSection, task: Task, *, channel_fraction: float) -> Supernet:
        """Return the supernet."""
        return DartsSupernet(
            task,
            Darts.of(section),
            num_cells=section.num_cells,
            channels=section.channels,
            channel_fraction=channel_fraction,
            primitives=load_primitives(section.primitives),
        )

    def network(self, section: DartsSection, task: Task, genotype: Genotype) -> nn.Module:
        """Return the network of a genotype."""
        return Network(
            task,
            genotype,
            num_cells=section.num_cells,
            channels=section.channels,
            primitives=load_primitives(section.primitives),
        )
