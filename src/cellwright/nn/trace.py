"""Computes a network's costs from a forward pass on the meta device, where tensors have shapes but no data."""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cellwright.nn.cost import count_params


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Costs of a network for one example, in eval mode."""

    params: int
    """Number of trainable parameters."""
    macs: int
    """Multiply-accumulates of convolutions and matrix products."""
    depth: int
    """Number of convolutions and linear layers on the longest path from inputs to outputs."""
    memory_bytes: int
    """Peak memory of parameters, buffers, inputs and feature maps, in bytes."""


def trace(network: nn.Module, inputs: Sequence[Tensor]) -> Cost:
    """Return the costs of a network, which must be on the meta device, like the inputs of one example."""
    network.eval()
    with torch.no_grad(), _Trace() as mode:
        for tensor in (*network.parameters(), *network.buffers(), *inputs):
            mode.saw(tensor, depth=0)
        outputs = network(*inputs)
    return Cost(
        params=count_params(network),
        macs=mode.macs,
        depth=mode.depth_of(outputs),
        memory_bytes=mode.peak,
    )


class _Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tracks each storage from its allocation to its release."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self.peak = 0
        self._live = 0
        self._depths: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        shortcut = _SHORTCUTS.get(func.overloadpacket)
        result = shortcut(*args) if shortcut else func(*args, **(kwargs or {}))
        read = _tensors(args)
        made = _tensors(result if isinstance(result, tuple | list) else (result,))
        products = _products(func.overloadpacket, args, result)
        self.macs += products
        depth = max(map(self.depth_of, read), default=0) + (products > 0)
        for tensor in made:
            self.saw(tensor, depth)
        return result

    def depth_of(self, tensor: Tensor) -> int:
        return self._depths.get(tensor.untyped_storage()._cdata, 0)

    def saw(self, tensor: Tensor, depth: int) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._depths:
            self._live += size
            self.peak = max(self.peak, self._live)
            weakref.finalize(storage, self._freed, key, size)
        self._depths[key] = max(depth, self._depths.get(key, 0))

    def _freed(self, key: int, size: int) -> None:
        self._live -= size
        del self._depths[key]


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """Return all tensors among the values, including those inside lists."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found


def _convolved(
    x: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    *rest: Any,
) -> Any:
    if transposed:
        return torch.ops.aten.convolution(x, weight, bias, stride, padding, dilation, transposed, *rest)
    sides = [
        (side + 2 * pad - step * (size - 1) - 1) // hop + 1
        for side, size, hop, pad, step in zip(
            x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    ]
    return x.new_empty((len(x), len(weight), *sides))


def _normalised(x: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)


_SHORTCUTS: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.convolution: _convolved,
    torch.ops.aten.native_batch_norm: _normalised,
}
"""Shape functions of operations for which PyTorch's own take about a millisecond."""


def _products(operation: Any, args: Any, result: Any) -> Any:
    """Return the multiply-accumulates; 0 for operations other than convolutions and matrix products."""
    aten = torch.ops.aten
    if operation is aten.convolution:
        transposed = args[6]
        return (args[0] if transposed else result).numel() * args[1][0].numel()
    if operation is aten.addmm:
        return result.numel() * args[1].shape[-1]
    if operation in (aten.mm, aten.bmm):
        return result.numel() * args[0].shape[-1]
    return 0
