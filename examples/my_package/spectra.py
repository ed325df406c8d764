"""A task that is not images: a number is predicted from a spectrum."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from cellwright.data import Source
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.tasks.regression import Regression
from my_package.spectra_section import SPECTRA, SpectraAugment


class SpectraRegression(Regression):
    """Spectra (B, W), float32. What an intensity means depends on where it is, so each is a channel of one place."""

    input_names: tuple[str, ...] = (SPECTRA,)
    mean: float
    std: float

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task, with the statistics of the training split."""
        spectra = train.examples.inputs[SPECTRA][train.indices]
        return cls(
            kind=kind,
            map_shape=(spectra.shape[1], 1, 1),
            mean=float(spectra.mean()),
            std=float(spectra.std()),
            target_mean=float(train.targets.mean()),
            target_std=float(train.targets.std()),
        )

    @property
    def summary(self) -> str:
        """Say how long spectra are."""
        return f"a number from spectra of {self.map_shape[0]} intensities"

    def input_meaning(self, name: str) -> str:
        """Say what a spectrum is."""
        return "intensities, in the order of the file's columns"

    def adapter(self) -> nn.Module:
        """Return what standardises spectra and makes maps of them."""
        return ToMap(self.mean, self.std)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return flat spectra."""
        return (torch.zeros(batch_size, self.map_shape[0], device=device),)

    def augment(self, inputs: Inputs, section: SpectraAugment, rng: torch.Generator) -> Inputs:
        """Return noisy spectra."""
        (x_BW,) = inputs
        noise = torch.randn(x_BW.shape, generator=rng, device=rng.device)
        return (x_BW + section.noise * self.std * noise,)

    def hand_designed(self, name: str, params: int) -> Mapping[str, Any]:
        """Return the width at which the network has about so many parameters."""
        sizes = {width: sum(p.numel() for p in Mlp(self, width).parameters()) for width in range(2, 513, 2)}
        return {"width": min(sizes, key=lambda width: abs(sizes[width] - params))}

    def build_hand_designed(self, name: str, settings: Mapping[str, Any]) -> nn.Module:
        """Return a network with one hidden layer."""
        return Mlp(self, **settings)


class ToMap(nn.Module):
    """Brings spectra (B, W) to standardised maps (B, W, 1, 1)."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, x_BW: Tensor) -> Tensor:
        """Return the maps."""
        return ((x_BW - self.mean) / self.std)[:, :, None, None]


class Mlp(nn.Module):
    """A layer of hidden units: what one would build by hand."""

    def __init__(self, task: SpectraRegression, width: int) -> None:
        super().__init__()
        self.adapter = task.adapter()
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(task.map_shape[0], width), nn.ReLU())
        self.head = task.head(width)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the predicted numbers."""
        values: Tensor = self.head(self.hidden(self.adapter(*inputs)))
        return values
