"""The manifest of prepared data."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cellwright.errors import DataError
from cellwright.files import write_model

SplitName = Literal["train", "validation", "test"]

MANIFEST = "manifest.json"
TEST_FILES = "test_files.json"
"""A list with the file name of each example of the test split; empty if examples are not files of their own."""


class Duplicates(BaseModel):
    """For each pair of splits, how many examples of the first are also in the second, and how many were dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_validation: int
    train_test: int
    validation_test: int
    dropped: int


class ArrayForm(BaseModel):
    """Type and shape of an array in prepared data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shape: tuple[int, ...]
    """Shape of one example."""
    dtype: str


class DataManifest(BaseModel):
    """The task and arrays of prepared data. Written last, so a manifest means that the data is complete."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    task: dict[str, Any]
    """The task as JSON: the kind of task, and what its networks must know about the data."""
    inputs: dict[str, ArrayForm]
    """The arrays of each split by name, in the order of the networks' arguments."""
    targets: ArrayForm
    split_sizes: dict[SplitName, int]
    shard_size: int | None = None
    """Maximum number of examples in a shard; None if each split has a single one."""
    duplicates: Duplicates
    content_hash: str
    """Hash of the inputs and targets of all splits, independent of the files that they were read from."""
    source: str

    def save(self, folder: Path) -> None:
        """Write the manifest into the folder of the data."""
        write_model(folder / MANIFEST, self)

    @classmethod
    def load(cls, folder: Path) -> "DataManifest":
        """Read the manifest of a folder.

        Raises:
            DataError: the manifest is missing, which means that the data is not prepared, or it is invalid.
        """
        path = folder / MANIFEST
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}; is the data prepared?") from error
        except ValidationError as error:
            raise DataError(f"{path}: is not a manifest of prepared data: {error}") from error
