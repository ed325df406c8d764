"""What prepared data says about itself."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cellwright.errors import DataError
from cellwright.files import write_model

SplitName = Literal["train", "validation", "test"]

MANIFEST = "manifest.json"


class Duplicates(BaseModel):
    """How many examples of the first split of each pair are in the second too, and how many were dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_validation: int
    train_test: int
    validation_test: int
    dropped: int


class ArrayForm(BaseModel):
    """What an array of prepared data looks like."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    shape: tuple[int, ...]
    """Of one example."""
    dtype: str


class DataManifest(BaseModel):
    """The task and the arrays of prepared data; written last, so data with one is whole."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, ser_json_inf_nan="strings"
    )

    task: dict[str, Any]
    """The task as JSON: what the data is for, and what its networks must know of it."""
    inputs: dict[str, ArrayForm]
    """The arrays of each split, by name, in the order in which networks take them."""
    targets: ArrayForm
    split_sizes: dict[SplitName, int]
    duplicates: Duplicates
    content_hash: str
    """Of the inputs and targets of all splits: equal where they are, whatever they were read from."""
    source: str

    def save(self, folder: Path) -> None:
        """Write the manifest into the folder of the data."""
        write_model(folder / MANIFEST, self)

    @classmethod
    def load(cls, folder: Path) -> "DataManifest":
        """Read the manifest of a folder.

        Raises:
            DataError: the folder holds none, so that its data is not prepared, or an invalid one.
        """
        path = folder / MANIFEST
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}; is the data prepared?") from error
        except ValidationError as error:
            raise DataError(f"{path}: is not a manifest of prepared data: {error}") from error
