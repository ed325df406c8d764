"""Random generators that follow from a seed and a purpose, so that a resumed run draws what it would have."""

import hashlib

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed for one purpose, independent of those for others."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator for one purpose."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))
