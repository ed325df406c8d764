"""The `data` section: where examples come from and how they are split."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cellwright.spec._section import Section

Fraction = Annotated[float, Field(gt=0, lt=1)]


class DataSection(Section):
    """What all data sources share."""

    test_fraction: Fraction = 0.2
    """Share of the examples set aside for `evaluate`; ignored where the source brings its own test set."""
    validation_fraction: Fraction = 0.25
    """Share of the examples that are not test which selection uses; the rest is for training."""
    split_seed: int = Field(default=0, ge=0)
    """Seed of the split, apart from the spec's seed so that seeds are compared on one test set."""
    limit: int | None = Field(default=None, ge=1)
    """Use at most this many examples for training and validation, drawn evenly over the classes."""
    min_class_examples: int = Field(default=5, ge=3)
    """Refuse data with a class that has fewer examples."""
    duplicates: Literal["report", "drop"] = "report"
    """What to do with an example that stands in two splits: say so, or drop it from the training side."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the files and folders that the source reads."""
        return ()


class DigitsData(DataSection):
    """The 1,797 8×8 digits that come with scikit-learn."""

    source: Literal["digits"]


class NpzData(DataSection):
    """A NumPy archive with an array of images, N×H×W, N×H×W×C or N×C×H×W, and one of labels, N."""

    source: Literal["npz"]
    path: Path
    """The archive."""
    test_path: Path | None = None
    """An archive with the user's own test set."""
    images_key: str = "images"
    labels_key: str = "labels"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    """The order of the axes of four-dimensional images."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the files and folders that the source reads."""
        return tuple(path for path in (self.path, self.test_path) if path)


class IdxData(DataSection):
    """IDX files, the format of MNIST, gzipped or not."""

    source: Literal["idx"]
    images: Path
    labels: Path
    test_images: Path | None = None
    test_labels: Path | None = None

    @model_validator(mode="after")
    def _test_files_come_in_pairs(self) -> Self:
        if (self.test_images is None) != (self.test_labels is None):
            raise ValueError("test_images and test_labels must be given together")
        return self

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the files and folders that the source reads."""
        files = (self.images, self.labels, self.test_images, self.test_labels)
        return tuple(path for path in files if path)


class ImagesData(DataSection):
    """A folder of images (PNG, JPEG, BMP, GIF, WebP, TIFF) with one folder per class."""

    source: Literal["images"]
    path: Path
    """The folder whose folders are the classes."""
    test_path: Path | None = None
    """A folder of the same form with the user's own test set."""
    resize: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] | None = None
    """Height and width that every image is brought to; needed where sizes differ."""
    channels: Literal["grey", "rgb"] = "rgb"

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the files and folders that the source reads."""
        return tuple(path for path in (self.path, self.test_path) if path)


AnyData = Annotated[DigitsData | NpzData | IdxData | ImagesData, Field(discriminator="source")]
