"""From samples to log-mel pictures, inside the network and in operations that every export has."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cellwright.tasks.audio.files import MELS, AudioFiles

HEARD = 1e-8
"""Of the power of a full-scale sine, 0.25: what is far below is as silence, whose logarithm is 0."""
FULL_SCALE = 32768


class LogMel(nn.Module):
    """Brings samples (B, L), int16, to standardised maps (B, 1, MELS, T): the logarithm of the power of each band.

    Args:
        files: how clips become samples.
        mean: of each band.
        std: of each band.
    """

    waves: Tensor
    bands: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, files: AudioFiles, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.hop = files.hop
        self.register_buffer("waves", torch.tensor(_waves(2 * self.hop)), persistent=False)
        self.register_buffer("bands", torch.tensor(_bands(2 * self.hop, files.rate)), persistent=False)
        self.register_buffer("mean", torch.tensor(mean)[:, None])
        self.register_buffer("std", torch.tensor(std)[:, None])

    def forward(self, x_BL: Tensor) -> Tensor:
        """Return the maps; in bfloat16 the weaker bands would be lost, so that autocast is off here."""
        device = x_BL.device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self._map(x_BL)
        return self._map(x_BL)

    def _map(self, x_BL: Tensor) -> Tensor:
        hops = x_BL.shape[1] // self.hop
        x_BTH = (x_BL[:, : hops * self.hop].float() / FULL_SCALE).reshape(-1, hops, self.hop)
        frames_BTN = torch.cat((x_BTH[:, :-1], x_BTH[:, 1:]), dim=2)
        real_BTF, imaginary_BTF = (frames_BTN @ self.waves).chunk(2, dim=2)
        power_BTM = (real_BTF.square() + imaginary_BTF.square()) @ self.bands
        # 1 is added to large powers, since ONNX's exporter takes a sum with 1e-8 for one with 0.
        log_BMT = power_BTM.log1p().transpose(1, 2)
        return ((log_BMT - self.mean) / self.std).unsqueeze(1)


def _waves(length: int) -> NDArray[np.float32]:
    """Return cosines and sines (N, 2F) under Hann's window, which give a sine of amplitude 1 a power of 0.25."""
    time, frequency = np.arange(length)[:, None], np.arange(length // 2 + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / length)
    angle = 2 * np.pi * time * frequency / length
    waves: NDArray[np.float64] = np.concatenate((np.cos(angle), np.sin(angle)), axis=1)
    waves *= window / window.sum()
    return waves.astype(np.float32)


def _bands(length: int, rate: int) -> NDArray[np.float32]:
    """Return the weight of each frequency in each band (F, MELS), for power in units of HEARD.

    Bands are triangles at equal distances on the mel scale, on which a frequency f is at log(1 + f / 700).
    """
    frequency = np.arange(length // 2 + 1) * rate / length
    edges = 700 * ((1 + rate / 1400) ** np.linspace(0, 1, MELS + 2) - 1)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    least = rate / length  # between two frequencies, below which a triangle may hold none
    rising = (frequency[:, None] - centre) / np.maximum(centre - low, least)
    falling = (centre - frequency[:, None]) / np.maximum(high - centre, least)
    bands: NDArray[np.float64] = (1 + np.minimum(rising, falling)).clip(0) / HEARD
    return bands.astype(np.float32)
