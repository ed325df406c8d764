"""Weights of an earlier training, which a new one starts from."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cellwright.errors import CellwrightError
from cellwright.results import WeightsStart


@dataclass(frozen=True)
class StartingWeights:
    """The state dict of a network that was trained before."""

    source: str
    tensors: Mapping[str, Tensor]

    @torch.no_grad()
    def put_into(self, network: nn.Module) -> WeightsStart:
        """Take over what the network has under the same name and in the same shape; tell what that was.

        The statistics that inputs are standardised by stay: they are of the data, not learnt.

        Raises:
            CellwrightError: not one weight agrees.
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
                f"retrain.start must share a weight of one name and shape with the network, got {self.source}"
            )
        for name in taken:
            own[name].copy_(self.tensors[name])
        return WeightsStart(
            source=self.source,
            taken=tuple(taken),
            left=tuple(sorted(self.tensors.keys() - set(taken))),
            new=tuple(name for name in own if name not in taken),
        )
