"""Pretrained weights that a training starts from."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cellwright.errors import CellwrightError
from cellwright.results import WeightsStart


@dataclass(frozen=True)
class StartingWeights:
    """The state dict of a trained network."""

    source: str
    tensors: Mapping[str, Tensor]

    @torch.no_grad()
    def put_into(self, network: nn.Module) -> WeightsStart:
        """Load all tensors whose name and shape match, and return a record of them.

        The statistics that standardise the inputs are not loaded, since they describe the data and are not learnt.

        Raises:
            CellwrightError: no tensor matches.
        """
        learnt = {name for name, _ in network.named_parameters()}
        own = {
            name: tensor
            for name, tensor in network.state_dict().items()
            if name in learnt or name.endswith((".running_mean", ".running_var"))
        }
        taken = [
            name
            for name, tensor in own.items()
            if name in self.tensors and self.tensors[name].shape == tensor.shape
        ]
        if not learnt.intersection(taken):
            raise CellwrightError(
                f"weights to start from must share one of the same name and shape with the network, got {self.source}"
            )
        for name in taken:
            own[name].copy_(self.tensors[name])
        return WeightsStart(
            source=self.source,
            taken=tuple(taken),
            left=tuple(sorted(self.tensors.keys() - set(taken))),
            new=tuple(name for name in own if name not in taken),
        )
