"""Time series: what networks know of their channels, and what is predicted."""

from abc import ABC
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data import Source, SplitName
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.results import ModelInfo
from cellwright.tasks.base import Resize, Task
from cellwright.tasks.classification import Classification
from cellwright.tasks.regression import Regression
from cellwright.tasks.series.hydra import Hydra, build_ridge
from cellwright.tasks.series.resnet import ResNet1d, resnet_channels
from cellwright.tasks.series.section import SeriesAugment
from cellwright.tasks.series.sources.series import SELF_DESCRIBING, SERIES

FEW = 200
"""Test examples below which a remark says how little scores tell."""


class Series(Task, ABC):
    """Series (B, channels, L), float32, NaN where a value is missing or a series has ended."""

    input_names: tuple[str, ...] = (SERIES,)
    mean: tuple[float, ...]
    """Per channel, of what is there in the training split."""
    std: tuple[float, ...]
    has_gaps: bool
    """Whether values of the training split are missing; a channel then says which are there."""

    networks: ClassVar[tuple[str, ...]] = SeriesAugment.hand_designed

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task, with the statistics of the training split."""
        values = train.examples.inputs[SERIES][train.indices].astype(np.float64)
        _, channels, length = values.shape
        present = ~np.isnan(values)
        counts = np.maximum(present.sum(axis=(0, 2)), 1)
        mean = np.where(present, values, 0).sum(axis=(0, 2)) / counts
        squares = np.where(present, values - mean[:, np.newaxis], 0) ** 2
        std = np.sqrt(squares.sum(axis=(0, 2)) / counts)
        has_gaps = not bool(present.all())
        return cls(
            kind=kind,
            map_shape=(channels + has_gaps, 1, length),
            mean=tuple(mean.tolist()),
            std=tuple(np.where(std > 1e-7 * np.abs(mean), std, 1.0).tolist()),
            has_gaps=has_gaps,
            **cls.of_targets(source, train),
        )

    @property
    def summary(self) -> str:
        """Say how many channels series have, and how long they are."""
        return f"{self.target_summary} from series of {len(self.mean)} channels and {self.map_shape[2]} times"

    def warnings(self, source: Source, parts: Mapping[SplitName, Part]) -> Iterator[str]:
        """Say so where there are few series to test with."""
        if len(parts["test"]) < FEW:
            yield f"the test split has {len(parts['test'])} series: look at the interval of each score"

    def input_meaning(self, name: str) -> str:
        """Say what a series is."""
        return (
            "values (channels, times); NaN where one is missing, and after the end of a shorter series; of a longer "
            f"one the first {self.map_shape[2]} times"
        )

    def examples_in(self, file: Path, info: ModelInfo) -> Iterator[tuple[str, Inputs | str]]:
        """Yield the series of a .ts file, of UCR's .tsv or .txt, or of an array; their targets are not read."""
        read = SELF_DESCRIBING.get(file.suffix.lower())
        if read is None:
            yield from super().examples_in(file, info)
            return
        channels, longest = info.inputs[0].shape
        for number, values in enumerate(read(file).series):
            if values.shape[0] != channels or values.shape[1] > longest:
                got = "×".join(map(str, values.shape))
                yield (
                    f"{file}[{number}]",
                    f"must be {channels} channels of at most {longest} times, got {got}",
                )
                continue
            padded = np.full((1, channels, longest), np.nan, np.float32)
            padded[0, :, : values.shape[1]] = values
            yield f"{file}[{number}]", (torch.from_numpy(padded),)

    def adapter(self) -> nn.Module:
        """Return what standardises series and makes maps of them."""
        return ToMap(self.mean, self.std, self.has_gaps)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return flat series."""
        return (torch.zeros(batch_size, len(self.mean), self.map_shape[2], device=device),)

    def augment(self, inputs: Inputs, section: SeriesAugment, rng: torch.Generator) -> Inputs:
        """Return series that are noisy, scaled, shifted, and missing for a while."""
        (x_BCL,) = inputs
        count, _, length = x_BCL.shape
        if section.jitter:
            noise = torch.randn(x_BCL.shape, generator=rng, device=rng.device)
            x_BCL = x_BCL + section.jitter * noise * torch.tensor(self.std, device=rng.device)[:, None]
        if section.scale:
            x_BCL = x_BCL * (1 + _uniform(count, section.scale, rng)[:, None, None])
        times = torch.arange(length, device=rng.device)
        if section.shift:
            steps_B1 = (_uniform(count, section.shift, rng) * length).round().long()[:, None]
            sources_BL = times + steps_B1
            moved = x_BCL.gather(2, sources_BL.clamp(0, length - 1)[:, None].expand_as(x_BCL))
            is_inside_BL = (sources_BL >= 0) & (sources_BL < length)
            x_BCL = torch.where(is_inside_BL[:, None], moved, torch.nan)
        if section.mask:
            first_B1 = (torch.rand(count, 1, generator=rng, device=rng.device) * length).long()
            long_B1 = (torch.rand(count, 1, generator=rng, device=rng.device) * section.mask * length).long()
            is_blank_BL = (times >= first_B1) & (times < first_B1 + long_B1)
            x_BCL = torch.where(is_blank_BL[:, None], torch.nan, x_BCL)
        return (x_BCL,)

    def smaller(self, side: Any) -> tuple[Self, Resize] | None:
        """Return the task on series of which several times are averaged."""
        channels, height, length = self.map_shape
        shorter = side(length)

        def resize(inputs: Inputs) -> Inputs:
            return tuple(functional.adaptive_avg_pool1d(x_BCL, shorter) for x_BCL in inputs)

        return self.model_copy(update={"map_shape": (channels, height, shorter)}), resize

    def hand_designed(self, name: str, params: int) -> Mapping[str, Any]:
        """Return the channels at which the network has about so many parameters."""
        return {"channels": resnet_channels(self, params)}

    def build_hand_designed(self, name: str, settings: Mapping[str, Any]) -> nn.Module:
        """Return a ResNet for series."""
        return ResNet1d(self, **settings)

    def build_classical(self, name: str, *, seed: int) -> Any:
        """Return a ridge on the features of Hydra."""
        return build_ridge(self)

    def classical_features(self, name: str, inputs: Inputs) -> NDArray[Any]:
        """Return how often each of Hydra's random kernels fits best."""
        x_BCL = self.adapter()(*inputs).squeeze(2)
        return Hydra(x_BCL.shape[1], x_BCL.shape[2])(x_BCL).numpy()


class SeriesClassification(Series, Classification):
    """Series of which a class is predicted."""

    kind: str = "series-classification"


class SeriesRegression(Series, Regression):
    """Series of which a number is predicted."""

    kind: str = "series-regression"


class ToMap(nn.Module):
    """Brings series (B, C, L) to standardised maps (B, C, 1, L); with gaps, one more channel says what is there."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], has_gaps: bool) -> None:
        super().__init__()
        self.has_gaps = has_gaps
        self.register_buffer("mean", torch.tensor(mean)[:, None])
        self.register_buffer("std", torch.tensor(std)[:, None])

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Return the maps, 0 where a value is missing."""
        standardised = torch.nan_to_num((x_BCL - self.mean) / self.std)
        if self.has_gaps:
            share_B1L = (~x_BCL.isnan()).to(standardised.dtype).mean(dim=1, keepdim=True)
            standardised = torch.cat((standardised, share_B1L), dim=1)
        return standardised.unsqueeze(2)


def _uniform(count: int, bound: float, rng: torch.Generator) -> Tensor:
    return (2 * torch.rand(count, generator=rng, device=rng.device) - 1) * bound
