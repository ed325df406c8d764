"""Checkpoints: tensors and JSON in one safetensors file, written atomically."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from cellwright.errors import CellwrightError
from cellwright.tensor_files import check_tensors, checked_facts, write_tensors

CHECKPOINT = "checkpoint.safetensors"
"""The checkpoint's file name in the folder of a running search or training."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Any = None) -> None:
    """Write tensors, and optional JSON with them, atomically; raises CellwrightError if they cannot be read back."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_tensors(path, plain, json.dumps(facts))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Read a file written by `save_tensors`; raises CellwrightError naming the file."""
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        check_tensors(tensors, file.metadata())
        return tensors, _facts(file)


def load_facts(path: Path) -> Any:
    """Read only the JSON of a file written by `save_tensors`; raises CellwrightError naming the file."""
    with _opened(path) as file:
        return _facts(file)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CellwrightError(f"{path} must be a whole safetensors file: {error}") from error


def _facts(file: Any) -> Any:
    return json.loads(checked_facts(file.metadata()) or "null")


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with the names `PREFIX/NAME`."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors named `PREFIX/NAME`, without the prefix."""
    return {
        name.removeprefix(f"{prefix}/"): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{prefix}/")
    }


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimizer's state as tensors named `INDEX/NAME`."""
    return {
        f"{index}/{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the state that `optimizer_tensors` returned, with its memory layout."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition("/")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def restore_module(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load the state dict into a module, in place."""
    module.load_state_dict(dict(tensors), strict=True)
