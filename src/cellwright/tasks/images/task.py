"""Images: what networks know of their pixels, and what is predicted."""

import io
from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data import Source
from cellwright.data.manifest import ArrayForm
from cellwright.data.split import Inputs, Split
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.results import ModelInfo
from cellwright.tasks.base import Resize, Task
from cellwright.tasks.classification import Classification
from cellwright.tasks.example_files import ARRAYS, array_examples, fitted_examples, listed_examples
from cellwright.tasks.facts import FILES
from cellwright.tasks.images.augmentation import augment_images
from cellwright.tasks.images.files import ImageFiles
from cellwright.tasks.images.mirroring import MOST, suitable_flip
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.sources.idx import is_idx, read_idx
from cellwright.tasks.images.sources.parquet import encoded_images
from cellwright.tasks.multi_label import MultiLabel
from cellwright.tasks.regression import Regression

IMAGES = "images"
CONSTANT = 1e-7
"""Relative standard deviation below which a float32 channel is constant except for rounding errors."""
ALMOST_BLACK = 32
"""Bytes of an image are below this if nobody would see anything in it, as in scikit-learn's digits, of 0 to 16."""


class Image(Task, ABC):
    """Raw images (B, C, H, W), uint8 or float32, which the adapter standardises."""

    input_names: tuple[str, ...] = (IMAGES,)
    mean: tuple[float, ...]
    """Mean of each channel of the raw pixels in the training split."""
    std: tuple[float, ...]
    """Standard deviation of each channel; 1 for a constant channel."""
    files: ImageFiles | None = None
    """The conversion of image files; None if the source holds arrays."""

    networks: ClassVar[tuple[str, ...]] = ImagesSection.hand_designed

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task, with the statistics of the training split."""
        _, channels, height, width = source.examples.inputs[IMAGES].shape
        mean, std = _statistics(train)
        return cls(
            kind=kind,
            map_shape=(channels, height, width),
            mean=tuple(mean.tolist()),
            std=tuple(std.tolist()),
            files=source.facts.get(FILES),
            **cls.of_targets(source, train),
        )

    @property
    def summary(self) -> str:
        """Return what is predicted and the shape of images as text."""
        return f"{self.target_summary}, images of {'×'.join(map(str, self.map_shape))}"

    def input_meaning(self, name: str) -> str:
        """Return a description of the pixels."""
        return f"pixels (channels, height, width): {self.files.meaning if self.files else 'as in the data'}"

    def model_info(self, inputs: Mapping[str, ArrayForm], genotype: Genotype) -> ModelInfo:
        """Return the model information with the conversion of image files."""
        from_file = self.files and self.files.model_dump(mode="json")
        return super().model_info(inputs, genotype).model_copy(update={"from_file": from_file})

    def examples_in(self, file: Path, info: ModelInfo) -> Iterator[tuple[str, Inputs | str]]:
        """Yield a single image, those of an array, IDX or parquet file, or those that a .csv's first column lists."""
        match file.suffix.lower():
            case suffix if suffix in ARRAYS:
                yield from array_examples(file, info.inputs)
            case ".csv":
                yield from listed_examples(file, lambda listed: self._decoded(listed, info))
            case ".parquet":
                for index, content in enumerate(encoded_images(file)):
                    name = f"{file}[{index}]"
                    try:
                        yield name, self._fitted(name, content, info)
                    except DataError as error:
                        yield name, str(error).removeprefix(f"{name}: ")
            case _ if is_idx(file):
                yield from fitted_examples(file, {"": read_idx(file)}, info.inputs)
            case _:
                yield str(file), self._decoded(file, info)

    def _decoded(self, file: Path, info: ModelInfo) -> Inputs:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file}: {error.strerror}") from error
        return self._fitted(str(file), content, info)

    def _fitted(self, name: str, content: bytes, info: ModelInfo) -> Inputs:
        try:
            how = ImageFiles.of(info)
        except DataError as error:
            raise DataError(f"{name}: must be {' or '.join(ARRAYS)}: {error}") from error
        try:
            pixels = how.decode(content)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        if pixels.shape != self.map_shape:
            (_, height, width), (_, *sides) = pixels.shape, self.map_shape
            raise DataError(
                f"{name}: must be {'×'.join(map(str, sides))}, as in training, got {height}×{width}"
            )
        return (torch.from_numpy(np.array(pixels, order="C"))[None],)

    def adapter(self) -> nn.Module:
        """Return the standardisation."""
        return Standardise(self.mean, self.std)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return black images."""
        zeros = torch.zeros(batch_size, *self.map_shape, device=device)
        return (zeros.to(memory_format=torch.channels_last),)

    def augment(self, inputs: Inputs, section: ImagesSection, rng: torch.Generator) -> Inputs:
        """Return images that are shifted, rotated, scaled, mirrored and partly erased."""
        (x_BCHW,) = inputs
        return (augment_images(x_BCHW, section, rng),)

    def smaller(self, side: Callable[[int], int]) -> tuple[Self, Resize] | None:
        """Return the task on smaller images."""
        channels, *sides = self.map_shape
        height, width = map(side, sides)
        if [height, width] == sides:
            return self, lambda inputs: inputs

        def resize(inputs: Inputs) -> Inputs:
            return tuple(
                functional.interpolate(x_BCHW.float(), (height, width), mode="bilinear", antialias=True)
                for x_BCHW in inputs
            )

        return self.model_copy(update={"map_shape": (channels, height, width)}), resize

    def picture(self, inputs: Inputs) -> bytes | None:
        """Return a PNG of the image; other pixel types, and almost black images, are scaled to the range of bytes."""
        from PIL import Image

        pixels = inputs[0].permute(1, 2, 0)
        if pixels.dtype == torch.uint8 and 0 < pixels.max() < ALMOST_BLACK:
            pixels = (pixels.float() * (255 / pixels.max())).to(torch.uint8)
        if pixels.dtype != torch.uint8:
            low, high = pixels.min(), pixels.max()
            pixels = ((pixels - low) / (high - low).clamp(min=CONSTANT) * 255).to(torch.uint8)
        if pixels.shape[2] not in (1, 3):
            pixels = pixels[..., :1]
        file = io.BytesIO()
        Image.fromarray(pixels.squeeze(2).numpy() if pixels.shape[2] == 1 else pixels.numpy()).save(
            file, "PNG"
        )
        return file.getvalue()


class ImageClassification(Image, Classification):
    """Images of which a class is predicted."""

    kind: str = IMAGES

    def suited(self, train: Split, validation: Split) -> Mapping[str, Any]:
        """Return how images may be mirrored without losing their class."""
        compared = [split.sample(MOST // 2, seed=0).to("cpu")[:] for split in (train, validation)]
        images = torch.cat([split.inputs[0] for split in compared])
        labels = torch.cat([split.targets for split in compared])
        flip = suitable_flip(images, labels, self.num_outputs)
        return {} if flip == "none" else {"augment.flip": flip}


class ImageRegression(Image, Regression):
    """Images of which a number is predicted."""

    kind: str = "images-regression"


class ImageMultiLabel(Image, MultiLabel):
    """Images of which labels are predicted."""

    kind: str = "images-labels"


class Standardise(nn.Module):
    """Standardises raw pixels to zero mean and unit variance, so that models take raw images."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return standardised values."""
        return (x_BCHW - self.mean) / self.std


def _statistics(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel; the latter is 1 for constant channels."""
    images = part.examples.inputs[IMAGES]
    num_pixels = len(part) * prod(images.shape[2:])
    if images.dtype == np.uint8:
        mean, std = _of_bytes(part, num_pixels)
    else:
        mean = sum(block.sum((0, 2, 3), np.float64) for block in part.blocks(IMAGES)) / num_pixels
        squares = sum(
            np.square(block - mean[:, np.newaxis, np.newaxis]).sum((0, 2, 3)) for block in part.blocks(IMAGES)
        )
        std = np.sqrt(squares / num_pixels)
    return mean, np.where(std > CONSTANT * np.abs(mean), std, 1.0)


def _of_bytes(part: Part, num_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel of bytes, in one pass and without rounding sums."""
    counts = np.zeros((part.examples.inputs[IMAGES].shape[1], 256), np.int64)
    for block in part.blocks(IMAGES):
        channels = np.moveaxis(block, 1, 0).reshape(block.shape[1], -1)
        counts += np.stack([np.bincount(channel, minlength=256) for channel in channels])
    values = np.arange(256)
    sums, squares = (counts * values).sum(1).tolist(), (counts * values**2).sum(1).tolist()
    variances = [
        (num_pixels * square - total * total) / (num_pixels * num_pixels)
        for total, square in zip(sums, squares, strict=True)
    ]
    return np.array(sums) / num_pixels, np.sqrt(variances)
