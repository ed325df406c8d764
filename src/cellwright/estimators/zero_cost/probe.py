"""The input of a proxy, and ways to inspect any network without changing it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cellwright.data.split import Inputs
from cellwright.tasks.base import Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """Inputs of the network, their targets and task, and a generator for random numbers."""

    inputs: Inputs
    targets: Tensor
    task: Task
    rng: torch.Generator


_ACTIVATIONS = {
    getattr(torch.ops.aten, name)
    for name in ("relu", "relu_", "silu", "silu_", "gelu", "tanh", "sigmoid", "hardswish", "hardswish_")
    + ("leaky_relu", "leaky_relu_", "elu", "elu_", "hardtanh", "hardtanh_")
}


class _Activations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.codes: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.readers: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket is torch.ops.aten.convolution:
            for index, output in enumerate(self.outputs):
                self.readers[index] += args[0] is output
        if func.overloadpacket not in _ACTIVATIONS:
            return func(*args, **(kwargs or {}))
        self.codes.append((args[0] > 0).flatten(1))
        self.outputs.append(func(*args, **(kwargs or {})))
        self.readers.append(0)
        return self.outputs[-1]


def activation_codes(network: nn.Module, inputs: Inputs) -> list[tuple[Tensor, int]]:
    """Return the units (U) that are active for each example, booleans (B, U), and a weight, for each activation.

    The weight is the number of convolutions that read the activation. In the papers' cells each convolution has its own
    ReLU, while ours share one for each feature map.
    """
    with torch.no_grad(), _Activations() as activations:
        network(*inputs)
    counts = [max(1, readers) for readers in activations.readers]
    return list(zip(activations.codes, counts, strict=True))


def block_maps(network: nn.Module, inputs: Inputs) -> list[Tensor]:
    """Return the feature maps (B, C, H, W) of the network's primary blocks, in order of computation.

    A block is an entry of a `ModuleList` that returns one map: a cell, a layer or a reduction. The stem counts too, if
    there is one.
    """
    maps: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            maps.append(output.requires_grad_() if torch.is_grad_enabled() else output)

    handles = [block.register_forward_hook(keep) for block in _blocks(network.children())]
    stem = getattr(network, "stem", None)
    if isinstance(stem, nn.Module):
        handles.append(stem.register_forward_hook(keep))
    try:
        network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return maps


def _blocks(modules: Any) -> Iterator[nn.Module]:
    for module in modules:
        if isinstance(module, nn.ModuleList):
            for element in module:
                if isinstance(element, nn.ModuleList):
                    yield from _blocks([element])
                elif not isinstance(element, nn.Identity):
                    yield element


@contextmanager
def without(network: nn.Module, kinds: Sequence[type[nn.Module]]) -> Iterator[None]:
    """Let modules of these types return their input unchanged."""
    handles = [
        module.register_forward_hook(lambda module, args, output: args[0])
        for module in network.modules()
        if isinstance(module, tuple(kinds))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
