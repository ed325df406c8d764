"""PyTorch generators derived from a seed and a purpose."""

import torch

from cellwright.seeds import derive_seed


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator for one purpose."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))
