"""The `data` section: the data source, and how examples are split."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cellwright.spec.form import HTTP_ADDRESS
from cellwright.spec.section import Section

Fraction = Annotated[float, Field(gt=0, lt=1)]


class DataSection(Section):
    """Common keys of all data sources."""

    source: str
    reader: ClassVar[str]
    """Import path of the reader, a subclass of `cellwright.data.Reader`."""
    task: ClassVar[str]
    """The task of the data: its kind, or the import path of its section."""
    LOCATIONS: ClassVar[tuple[str, ...]] = ()
    """The keys that name files and folders."""
    FOLDERS: ClassVar[tuple[str, ...]] = ()
    """Those of them that name folders."""
    SUFFIXES: ClassVar[tuple[str, ...]] = ()
    """Suffixes of the files that `init` can write a spec for."""

    test_fraction: Fraction = 0.2
    """Fraction of the examples set aside for `evaluate`; ignored if the source has its own test set."""
    validation_fraction: Fraction = 0.25
    """Fraction of the other examples for validation, which selects architectures; the rest is for training."""
    split_seed: int = Field(default=0, ge=0)
    """Seed of the split, separate from the spec's seed, so that several seeds share one test set."""
    limit: int | None = Field(default=None, ge=1)
    """Maximum number of examples for training and validation, drawn evenly over the range of targets."""
    duplicates: Literal["report", "drop"] = "report"
    """What to do with an example that is in two splits: report it, or drop it from the training side."""

    @property
    def task_kind(self) -> str:
        """Return the task, if it depends on the section's keys; by default, `task`."""
        return self.task

    @property
    def locations(self) -> dict[str, str | Path]:
        """Return the files and folders of the source, by key."""
        return {key: location for key in self.LOCATIONS if (location := getattr(self, key)) is not None}


class StoredData(DataSection):
    """Common keys of data sources whose files are local or in S3."""

    LOCATIONS: ClassVar[tuple[str, ...]] = ("path", "test_path")
    TEST_KEYS: ClassVar[tuple[str, ...]] = ("test_path",)
    """The keys that name the user's own test set."""

    endpoint: Annotated[str, HTTP_ADDRESS] | None = None
    """S3 endpoint for paths that start with s3://; Amazon's by default. AWS_ENDPOINT_URL overrides it."""

    @property
    def uris(self) -> dict[str, str]:
        """Return the locations in S3, by key."""
        return {key: location for key, location in self.locations.items() if isinstance(location, str)}
