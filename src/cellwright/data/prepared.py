"""Prepared data as the steps after `prepare` read it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from cellwright.data.manifest import DataManifest, SplitName
from cellwright.data.shards import read_shard
from cellwright.data.split import Split


@dataclass(frozen=True)
class PreparedData:
    """A folder of prepared data; each split is opened when it is first asked for, and checked then."""

    folder: Path
    manifest: DataManifest

    @classmethod
    def open(cls, folder: Path) -> "PreparedData":
        """Read the manifest of a folder.

        Raises:
            DataError: there is none, or it is invalid; as the splits do whose shard is missing or broken.
        """
        return cls(folder, DataManifest.load(folder))

    @cached_property
    def train(self) -> Split:
        """Return what network weights learn on."""
        return self._open("train")

    @cached_property
    def validation(self) -> Split:
        """Return what selection is made on."""
        return self._open("validation")

    @cached_property
    def test(self) -> Split:
        """Return what `evaluate` alone may open."""
        return self._open("test")

    def train_and_validation(self) -> Split:
        """Return both, copied into memory, for a champion that is trained once more."""
        return Split(
            tuple(torch.cat(pair) for pair in zip(self.train.inputs, self.validation.inputs, strict=True)),
            torch.cat([self.train.targets, self.validation.targets]),
        )

    def _open(self, name: SplitName) -> Split:
        return Split(*read_shard(self.folder, name, self.manifest))
