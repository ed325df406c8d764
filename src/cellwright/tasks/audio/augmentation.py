"""Random augmentation of a batch of training clips, on their device."""

import math

import torch
from torch import Tensor

from cellwright.tasks.audio.section import AudioAugment


def augment_clips(x_BL: Tensor, settings: AudioAugment, rate: int, rng: torch.Generator) -> Tensor:
    """Return clips that are shifted, louder or quieter, noisy, silent for a while, and without a band of frequencies.

    Args:
        x_BL: samples, int16.
        settings: strength of each change.
        rate: samples a second.
        rng: generator on the clips' device.
    """
    count, length = x_BL.shape
    device = rng.device

    def drawn(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=rng, device=device)

    x = x_BL.float()
    times = torch.arange(length, device=device)
    if settings.frequency_mask:
        spectrum_BF = torch.fft.rfft(x)
        bins = torch.arange(spectrum_BF.shape[1], device=device) * (rate / length)
        place_F = (1 + bins / 700).log() / math.log(1 + rate / 1400)
        spectrum_BF = torch.where(_inside(place_F, settings.frequency_mask, drawn(2)), 0, spectrum_BF)
        x = torch.fft.irfft(spectrum_BF, length)
    if settings.noise:
        level_B1 = settings.noise * drawn(1) * x.std(dim=1, keepdim=True)
        x = x + level_B1 * torch.randn(x.shape, generator=rng, device=device)
    if settings.gain:
        x = x * 10 ** ((2 * drawn(1) - 1) * settings.gain / 20)
    if settings.shift:
        steps_B1 = ((2 * drawn(1) - 1) * settings.shift * length).round().long()
        sources_BL = times + steps_B1
        is_inside_BL = (sources_BL >= 0) & (sources_BL < length)
        x = torch.where(is_inside_BL, x.gather(1, sources_BL.clamp(0, length - 1)), 0)
    if settings.time_mask:
        x = torch.where(_inside(times / length, settings.time_mask, drawn(2)), 0, x)
    return x.round().clamp(-32768, 32767).to(torch.int16)


def _inside(places: Tensor, share: float, drawn_B2: Tensor) -> Tensor:
    """Return for places from 0 to 1 whether each is in an interval (B, places), of a length of at most `share`."""
    length_B1 = share * drawn_B2[:, :1]
    first_B1 = (1 - length_B1) * drawn_B2[:, 1:]
    return (places >= first_B1) & (places < first_B1 + length_B1)
