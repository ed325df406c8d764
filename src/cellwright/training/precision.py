"""Devices and floating-point formats."""

from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import nn

from cellwright.spec import Precision

M = TypeVar("M", bound=nn.Module)


def best_device() -> torch.device:
    """Return the first GPU, or the CPU if there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def channels_last(module: M) -> M:
    """Convert the module's convolutions to channels last, which is faster on both CPUs and GPUs."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether the device computes in bfloat16: GPUs since Ampere, and CPUs with AVX512_BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the autocast context for forward passes; `auto` means bfloat16 on GPUs that support it.

    Converted weights are not cached: a pass uses each once, and CUDA graphs do not allow a cache.
    """
    fast = device.type == "cuda" and computes_bfloat16(device)
    enabled = precision == "bfloat16" or (precision == "auto" and fast)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)
