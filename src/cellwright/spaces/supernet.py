"""The base class of supernets, which mix all architectures of a space with given weights."""

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
"""For each group, the indices of each decision's choices to compute; others are skipped."""


class Supernet(nn.Module, ABC):
    """All architectures of a space in one network with shared weights."""

    space: Space
    task: Task

    @abstractmethod
    def forward(self, inputs: Inputs, mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return the outputs for raw inputs. Computes only the active choices; by default, all."""

    @abstractmethod
    def network(self, genotype: Genotype) -> nn.Module:
        """Return the genotype's network at the supernet's size, with initial weights."""

    def inherit(self, genotype: Genotype) -> dict[str, Tensor]:
        """Return the state dict of the genotype's network, with the supernet's weights.

        A narrower layer takes the leading channels. Norms without scale and shift in the supernet get 1 and 0.
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
        """Map prefixes of names in the network's state dict to the supernet's, where they differ."""
        return {}


def mixed_channels(channels: int, fraction: float) -> int:
    """Return the number of channels that a partial cell passes through its primitives, at least 2."""
    return max(2, round(fraction * channels))


def _shared(state: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    """Return the leading slices of the tensor, or the default scale or shift if the supernet's norm has none."""
    if name in state:
        return state[name][tuple(map(slice, shape))].clone()
    norm, _, kind = name.rpartition(".")
    return torch.full_like(state[f"{norm}.running_mean"][: shape[0]], float(kind == "weight"))
