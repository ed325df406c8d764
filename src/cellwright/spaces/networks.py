"""The base class for building the supernet and networks of a space."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.importing import load_class
from cellwright.nn.trace import Cost, trace
from cellwright.spaces import build_space
from cellwright.spaces.supernet import Supernet
from cellwright.spec import SpaceSection
from cellwright.tasks.base import Task


class Networks(ABC):
    """Builds the networks of one kind of space, at the size of its section."""

    has_partial_channels: bool = False
    """Whether the supernet can pass only a fraction of its channels through the primitives, as in PC-DARTS."""

    @abstractmethod
    def supernet(self, section: Any, task: Task, *, channel_fraction: float) -> Supernet:
        """Return the supernet.

        Args:
            section: the space.
            task: the task of the network.
            channel_fraction: the fraction of channels that go through the primitives; 1 unless `has_partial_channels`.
        """

    def network(self, section: Any, task: Task, genotype: Genotype) -> nn.Module:
        """Return a genotype's network with initial weights and the task's `adapter`; by default, from the supernet."""
        with torch.device("meta"):
            supernet = self.supernet(section, task, channel_fraction=1.0)
        return supernet.network(genotype)


def build_supernet(section: SpaceSection, task: Task, *, channel_fraction: float = 1.0) -> Supernet:
    """Return the supernet of a spec's `space` section.

    Raises:
        CellwrightError: the space's supernet does not support partial channels.
    """
    networks = _networks(section)
    if channel_fraction != 1 and not networks.has_partial_channels:
        raise CellwrightError(
            f"partial channels (pc-darts) need space.kind darts or nasbench201, got {section.kind}"
        )
    return networks.supernet(section, task, channel_fraction=channel_fraction)


def build_network(section: SpaceSection, task: Task, genotype: Genotype) -> nn.Module:
    """Return the network of a genotype; raises GenotypeError if the space does not include it."""
    build_space(section).check(genotype)
    return _networks(section).network(section, task, genotype)


def trace_genotype(section: SpaceSection, task: Task, genotype: Genotype) -> Cost:
    """Return the costs of a genotype's network, without allocating its weights or feature maps."""
    with torch.device("meta"):
        network = build_network(section, task, genotype)
    return trace(network, task.example(1, device="meta"))


def _networks(section: SpaceSection) -> Networks:
    return load_class(section.networks, Networks)()  # type: ignore[type-abstract]
