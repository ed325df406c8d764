"""Training passes as CUDA graphs, in which a GPU is given all kernels of a pass at once and not one by one.

A small network keeps a GPU waiting for the launches of its kernels:
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import warnings
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from cellwright.training import parallel

Pass = Callable[..., Tensor]
"""From a network's inputs, which are tensors or dictionaries of them, to its output."""


def pays(device: torch.device) -> bool:
    """Return whether recorded passes suit the device; norms that processes share cannot be recorded."""
    return device.type == "cuda" and parallel.count() == 1


class Replayed:
    """A network whose passes, forward and backward, are recorded once for each kind of inputs and then replayed.

    Each replay writes to the same memory: an output and its gradients hold until the next pass of the same kind. Where
    recording does not suit the device, the network is called as it is.

    Args:
        network: what it computes must depend on the shapes of its inputs alone, not on their values.
        enabled: whether passes may be recorded.
    """

    def __init__(self, network: nn.Module, enabled: bool) -> None:
        self.network = network
        self.enabled = enabled and pays(next(network.parameters()).device)
        self._passes: dict[Hashable, Pass] = {}

    def __call__(self, *inputs: Any, **named: Tensor) -> Tensor:
        """Return the network's output."""
        if not self.enabled:
            output: Tensor = self.network(*inputs, **named)
            return output
        given = inputs, named
        kind = self._kind(given)
        if kind not in self._passes:
            self._passes[kind] = self._recorded(given)
        return self._passes[kind](*given)

    def _kind(self, inputs: Any) -> Hashable:
        """Return what passes must have in common to be replays of one."""
        given = [(t.shape, t.dtype, t.requires_grad) for t in pytree.tree_leaves(inputs)]
        return self.network.training, next(self.network.parameters()).requires_grad, *given

    def _recorded(self, inputs: Any) -> Pass:
        """Record a pass; what the network remembers of its inputs, as norms do, is left as it was."""
        samples = pytree.tree_map(lambda t: t.detach().clone().requires_grad_(t.requires_grad), inputs)
        remembered = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
        try:
            recorded: Pass = torch.cuda.make_graphed_callables(  # type: ignore[assignment]
                _Alias(self.network), samples, allow_unused_input=True
            )
        except RuntimeError as error:
            warnings.warn(f"continuing without CUDA graphs, as recording one failed: {error}", stacklevel=2)
            return _Alias(self.network)
        finally:
            for buffer, value in remembered:
                buffer.copy_(value)
        return recorded


class _Alias(nn.Module):
    """The network under a module of its own, whose `forward` torch replaces."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Any, named: Any) -> Tensor:
        output: Tensor = self.network(*inputs, **named)
        return output
