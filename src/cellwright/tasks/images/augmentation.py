"""Random augmentation of a batch of training images, on their device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from cellwright.tasks.images.section import ImagesSection


def augment_images(x_BCHW: Tensor, settings: ImagesSection, rng: torch.Generator) -> Tensor:
    """Return images that are shifted, rotated, scaled, mirrored and partly erased; borders are repeated.

    Args:
        x_BCHW: raw images.
        settings: strength of each operation.
        rng: generator on the images' device.
    """
    if settings.shift or settings.rotate or settings.scale or settings.flip != "none":
        maps_B23 = _affine_maps(len(x_BCHW), settings, rng).to(x_BCHW.dtype)
        grid = functional.affine_grid(maps_B23, list(x_BCHW.shape), False)
        moved = functional.grid_sample(x_BCHW, grid, padding_mode="border", align_corners=False)
        x_BCHW = moved.contiguous(memory_format=torch.channels_last)
    return _erase(x_BCHW, settings.erase, rng) if settings.erase else x_BCHW


def _uniform(count: int, bound: float, rng: torch.Generator) -> Tensor:
    return (2 * torch.rand(count, generator=rng, device=rng.device) - 1) * bound


def _signs(count: int, mirrored: bool, rng: torch.Generator) -> Tensor:
    if not mirrored:
        return torch.ones(count, device=rng.device)
    return 1 - 2 * torch.randint(2, (count,), generator=rng, device=rng.device).float()


def _affine_maps(count: int, settings: ImagesSection, rng: torch.Generator) -> Tensor:
    """Return (B, 2, 3) maps from output to input coordinates, in units of half a side."""
    angle = _uniform(count, math.radians(settings.rotate), rng)
    zoom = 1 + _uniform(count, settings.scale, rng)
    across = zoom * _signs(count, settings.flip in ("horizontal", "both"), rng)
    down = zoom * _signs(count, settings.flip in ("vertical", "both"), rng)
    shift_x, shift_y = (_uniform(count, 2 * settings.shift, rng) for _ in range(2))
    cos, sin = angle.cos(), angle.sin()
    rows = (
        torch.stack((cos * across, -sin * down, shift_x), dim=1),
        torch.stack((sin * across, cos * down, shift_y), dim=1),
    )
    return torch.stack(rows, dim=1)


def _erase(x_BCHW: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Replace a square at a random position of each image by the image's mean; it may cross the border."""
    height, width = x_BCHW.shape[2:]
    rows = _inside(height, round(share * height), len(x_BCHW), rng)
    columns = _inside(width, round(share * width), len(x_BCHW), rng)
    square = (rows[:, :, None] & columns[:, None, :]).unsqueeze(1)
    return torch.where(square, x_BCHW.mean(dim=(2, 3), keepdim=True), x_BCHW)


def _inside(side: int, length: int, count: int, rng: torch.Generator) -> Tensor:
    """Return masks (B, side) of an interval with the given length around a random centre."""
    centre = torch.randint(side, (count, 1), generator=rng, device=rng.device)
    offset = torch.arange(side, device=rng.device)[None] - centre + length // 2
    return (offset >= 0) & (offset < length)
