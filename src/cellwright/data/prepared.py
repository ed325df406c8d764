"""Prepared data, as read by the steps after `prepare`."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cellwright.data.manifest import TEST_FILES, DataManifest, SplitName
from cellwright.data.shards import read_split
from cellwright.data.split import Split
from cellwright.errors import DataError


@dataclass(frozen=True)
class PreparedData:
    """A folder of prepared data. Each split is opened and checked on first use."""

    folder: Path
    manifest: DataManifest

    @classmethod
    def open(cls, folder: Path) -> "PreparedData":
        """Read the manifest of a folder.

        Raises:
            DataError: the manifest is missing or invalid. The splits raise this too, if a shard is missing or
                damaged.
        """
        return cls(folder, DataManifest.load(folder))

    @cached_property
    def train(self) -> Split:
        """Return the split for training network weights."""
        return self._open("train")

    @cached_property
    def validation(self) -> Split:
        """Return the split for selecting architectures."""
        return self._open("validation")

    @cached_property
    def test(self) -> Split:
        """Return the test split, which only `evaluate` and the gate may open; `decide` hashes its inputs."""
        return self._open("test")

    @cached_property
    def test_files(self) -> list[str]:
        """Return the file name of each example of the test split, or nothing if they are not files of their own."""
        path = self.folder / TEST_FILES
        try:
            files = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
        if not isinstance(files, list) or len(files) not in (0, self.manifest.split_sizes["test"]):
            raise DataError(f"{path}: must name the file of each example of the test split, or none")
        return list(map(str, files))

    def train_and_validation(self) -> Split:
        """Return both splits for the final training, copied into memory if each has a single shard."""
        return self.train.followed_by(self.validation)

    def _open(self, name: SplitName) -> Split:
        return read_split(self.folder, name, self.manifest)
