"""Training passes as CUDA graphs, which launch all kernels of a pass at once.

In a small network, a GPU mostly waits for kernel launches:
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
"""Maps a network's inputs, which are tensors or dictionaries of tensors, to its output."""


def is_worthwhile(device: torch.device) -> bool:
    """Return whether graphs are worthwhile on the device. Norms whose statistics processes share cannot be captured."""
    return device.type == "cuda" and parallel.world_size() == 1


class Replayed:
    """A network whose forward and backward passes are captured once for each kind of inputs and then replayed.

    All replays write to the same memory: an output and its gradients are valid until the next pass of the same kind. If
    graphs are not worthwhile on the device, the network is called directly.

    Args:
        network: its computation must depend on the shapes of the inputs only, not on their values.
        enabled: whether passes may be captured.
    """

    def __init__(self, network: nn.Module, enabled: bool) -> None:
        self.network = network
        self.enabled = enabled and is_worthwhile(next(network.parameters()).device)
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
        """Return the key of the graph for these inputs: passes with equal keys share a graph."""
        given = [(t.shape, t.dtype, t.requires_grad) for t in pytree.tree_leaves(inputs)]
        return self.network.training, next(self.network.parameters()).requires_grad, *given

    def _recorded(self, inputs: Any) -> Pass:
        """Capture a pass, and restore the state that it changed, such as the statistics of norms."""
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
    """Wraps the network in a separate module, whose `forward` torch replaces."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Any, named: Any) -> Tensor:
        output: Tensor = self.network(*inputs, **named)
        return output
