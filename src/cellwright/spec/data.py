"""The `data` section: where examples come from and how they are split."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cellwright.spec.form import HTTP_ADDRESS
from cellwright.spec.section import Section

Fraction = Annotated[float, Field(gt=0, lt=1)]


class DataSection(Section):
    """What all data sources share."""

    source: str
    reader: ClassVar[str]
    """The import path of what reads it, a subclass of `cellwright.data.Reader`."""
    task: ClassVar[str]
    """What it is for: the kind of a task, or the import path of the task's section."""
    PLACES: ClassVar[tuple[str, ...]] = ()
    """The keys that say where files and folders are."""
    FOLDERS: ClassVar[tuple[str, ...]] = ()
    """Those of them that say where folders are."""

    test_fraction: Fraction = 0.2
    """Share of the examples set aside for `evaluate`; ignored where the source brings its own test set."""
    validation_fraction: Fraction = 0.25
    """Share of the examples that are not test which selection uses; the rest is for training."""
    split_seed: int = Field(default=0, ge=0)
    """Seed of the split, apart from the spec's seed so that seeds are compared on one test set."""
    limit: int | None = Field(default=None, ge=1)
    """Use at most this many examples for training and validation, drawn evenly over the range of targets."""
    duplicates: Literal["report", "drop"] = "report"
    """What to do with an example that is in two splits: report it, or drop it from the training side."""

    @property
    def task_kind(self) -> str:
        """Return what it is for, where that depends on its keys; by default `task`."""
        return self.task

    @property
    def places(self) -> dict[str, str | Path]:
        """Return the files and folders that the source reads, by key."""
        return {key: place for key in self.PLACES if (place := getattr(self, key)) is not None}


class StoredData(DataSection):
    """What sources share whose files lie on this machine, or in S3."""

    PLACES: ClassVar[tuple[str, ...]] = ("path", "test_path")
    TEST_KEYS: ClassVar[tuple[str, ...]] = ("test_path",)
    """The keys that say what the user's own test set is."""

    endpoint: Annotated[str, HTTP_ADDRESS] | None = None
    """S3 endpoint of places that begin with s3://; Amazon's by default. AWS_ENDPOINT_URL overrides it."""

    @property
    def uris(self) -> dict[str, str]:
        """Return the places that are in S3."""
        return {key: place for key, place in self.places.items() if isinstance(place, str)}
