"""What every supernet is: all architectures of a space, mixed by weights that the caller gives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwright.data.split import Inputs
from cellwright.genotype import Genotype
from cellwright.spaces import Space
from cellwright.tasks.base import Task

Mixture = Mapping[str, Tensor]
"""For each group of decisions, the weight of each choice, (decisions, choices)."""

Active = Mapping[str, Sequence[Sequence[int]]]
"""For each group, which choices of each decision are computed, by their places; others are skipped."""


class Supernet(nn.Module, ABC):
    """All architectures of a space in one network with shared weights."""

    space: Space
    task: Task

    @abstractmethod
    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return outputs for raw inputs, computing what is active alone; by default everything."""

    @abstractmethod
    def network(self, genotype: Genotype) -> nn.Module:
        """Return the genotype's network at the supernet's size, with new weights."""

    def inherit(self, genotype: Genotype) -> dict[str, Tensor]:
        """Return the state dict of the genotype's network with the supernet's weights.

        A narrower layer takes the first channels. Norms that here have no scale and shift get 1 and 0.
        """
        with torch.device("meta"):
            wanted = self.network(genotype).state_dict()
        state, origins = self.state_dict(), self.origins(genotype)
        inherited = {}
        for name, tensor in wanted.items():
            prefix = next((prefix for prefix in origins if name.startswith(prefix)), "")
            inherited[name] = _shared(
                state, origins.get(prefix, "") + name.removeprefix(prefix), tensor.shape
            )
        return inherited

    def origins(self, genotype: Genotype) -> Mapping[str, str]:
        """Return how names in the network's state dict begin and how in the supernet's, where they differ."""
        return {}


def mixed_channels(channels: int, fraction: float) -> int:
    """Return how many channels a partial cell sends through its primitives: a share of them, and no fewer than 2."""
    return max(2, round(fraction * channels))


def _shared(state: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    """Return the tensor's leading slices, or what a norm without scale and shift stands for."""
    if name in state:
        return state[name][tuple(map(slice, shape))].clone()
    norm, _, kind = name.rpartition(".")
    return torch.full_like(state[f"{norm}.running_mean"][: shape[0]], float(kind == "weight"))
