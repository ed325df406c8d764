"""Audio clips: what networks know of their sound."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cellwright.data import Source
from cellwright.data.manifest import ArrayForm
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.results import ModelInfo
from cellwright.tasks.audio.augmentation import augment_clips
from cellwright.tasks.audio.classical import build_logistic, pooled
from cellwright.tasks.audio.files import MELS, AudioFiles, open_audio
from cellwright.tasks.audio.mel import LogMel
from cellwright.tasks.audio.section import AudioAugment
from cellwright.tasks.audio.sources.audio import SAMPLES
from cellwright.tasks.classification import Classification
from cellwright.tasks.example_files import ARRAYS, array_examples, listed_examples
from cellwright.tasks.facts import FILES

CONSTANT = 1e-6
"""Standard deviation of a band below which it is constant but for rounding errors, in a logarithm of power."""


class AudioClassification(Classification):
    """Clips (B, L), int16, which the adapter makes log-mel pictures of."""

    kind: str = "audio"
    input_names: tuple[str, ...] = (SAMPLES,)
    files: AudioFiles
    """The conversion of audio files."""
    mean: tuple[float, ...]
    """Of each band of the log-mel picture, in the training split."""
    std: tuple[float, ...]
    """1 for a constant band."""

    networks: ClassVar[tuple[str, ...]] = AudioAugment.hand_designed

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task, with the statistics of the training split."""
        files: AudioFiles = source.facts[FILES]
        mean, std = _statistics(files, train)
        return cls(
            kind=kind,
            map_shape=files.map_shape,
            files=files,
            mean=tuple(mean.tolist()),
            std=tuple(std.tolist()),
            **cls.of_targets(source, train),
        )

    @property
    def summary(self) -> str:
        """Say how many classes there are, and how long clips are."""
        seconds = self.files.samples / self.files.rate
        return f"{self.target_summary} from clips of {seconds:.2f} s at {self.files.rate} samples a second"

    def input_meaning(self, name: str) -> str:
        """Say what samples are."""
        return (
            f"16-bit samples of one channel, {self.files.rate} a second; of a longer clip the first "
            f"{self.files.samples}, after a shorter one zeros"
        )

    def model_info(self, inputs: Mapping[str, ArrayForm], genotype: Genotype) -> ModelInfo:
        """Return the model information with the conversion of audio files."""
        from_file = self.files.model_dump(mode="json")
        return super().model_info(inputs, genotype).model_copy(update={"from_file": from_file})

    def examples_in(self, file: Path, info: ModelInfo) -> Iterator[tuple[str, Inputs | str]]:
        """Yield a single clip, those of an array, or those that the first column of a .csv lists."""
        match file.suffix.lower():
            case suffix if suffix in ARRAYS:
                yield from array_examples(file, info.inputs)
            case ".csv":
                yield from listed_examples(file, self._decoded)
            case _:
                yield str(file), self._decoded(file)

    def _decoded(self, file: Path) -> Inputs:
        try:
            with open_audio(file) as opened:
                return (torch.from_numpy(self.files.read(opened))[None],)
        except DataError as error:
            raise DataError(f"{file}: {error}") from error

    def adapter(self) -> nn.Module:
        """Return what makes standardised log-mel pictures."""
        return LogMel(self.files, self.mean, self.std)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return silence."""
        return (torch.zeros(batch_size, self.files.samples, dtype=torch.int16, device=device),)

    def augment(self, inputs: Inputs, section: AudioAugment, rng: torch.Generator) -> Inputs:
        """Return clips that are shifted, louder or quieter, noisy and masked."""
        (x_BL,) = inputs
        return (augment_clips(x_BL, section, self.files.rate, rng),)

    def picture(self, inputs: Inputs) -> bytes | None:
        """Return a PNG of the log-mel picture, high frequencies at its top."""
        from PIL import Image

        values = self.adapter()(inputs[0][None])[0, 0].flip(0)
        grey = ((values + 3) / 6).clamp(0, 1).mul(255).to(torch.uint8).numpy()
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "PNG")
        return file.getvalue()

    def build_classical(self, name: str, *, seed: int) -> Any:
        """Return a logistic regression on the pooled log-mel picture."""
        return build_logistic()

    def classical_features(self, name: str, inputs: Inputs) -> NDArray[Any]:
        """Return the log-mel picture, pooled over time."""
        return pooled(self.adapter(), inputs[0])


@torch.no_grad()
def _statistics(files: AudioFiles, part: Part) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each band; the latter is 1 for constant bands."""
    adapter = LogMel(files, (0.0,) * MELS, (1.0,) * MELS)
    sums, squares, count = np.zeros(MELS), np.zeros(MELS), 0
    for block in part.blocks(SAMPLES):
        map_BMT = adapter(torch.from_numpy(block)).squeeze(1).double()
        sums += map_BMT.sum(dim=(0, 2)).numpy()
        squares += map_BMT.square().sum(dim=(0, 2)).numpy()
        count += map_BMT[:, 0].numel()
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean, np.where(std > CONSTANT, std, 1.0)
