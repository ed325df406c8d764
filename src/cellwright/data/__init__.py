"""Prepared data: read and checked once, split, written as memory-mapped shards, and served in batches."""

from cellwright.data._images import class_names
from cellwright.data._manifest import DataManifest, Duplicates, SplitName
from cellwright.data._prepared import PreparedData
from cellwright.data._preparing import prepare
from cellwright.data._sources import source_digest
from cellwright.data._split import Split

__all__ = [
    "DataManifest",
    "Duplicates",
    "PreparedData",
    "Split",
    "SplitName",
    "class_names",
    "prepare",
    "source_digest",
]
