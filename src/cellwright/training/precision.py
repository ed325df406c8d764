"""Devices and number formats."""

from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import nn

from cellwright.spec import Precision

M = TypeVar("M", bound=nn.Module)


def best_device() -> torch.device:
    """Return the first GPU, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def channels_last(module: M) -> M:
    """Lay the module's convolutions out with channels last, the faster way on CPUs and GPUs alike."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def computes_bfloat16(device: torch.device) -> bool:
    """Tell whether the device has instructions for bfloat16: GPUs from Ampere on, CPUs with AVX512_BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which forward passes run; `auto` is bfloat16 on GPUs that compute with it.

    Converted weights are not kept: a pass uses each once, and CUDA graphs do not allow it.
    """
    fast = device.type == "cuda" and computes_bfloat16(device)
    enabled = precision == "bfloat16" or (precision == "auto" and fast)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)
