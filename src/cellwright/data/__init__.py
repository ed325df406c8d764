"""Prepared data: split, written as memory-mapped shards, and served in batches."""

from cellwright.data.examples import Examples, Source
from cellwright.data.manifest import DataManifest, Duplicates, SplitName
from cellwright.data.prepared import PreparedData
from cellwright.data.reading import Reader
from cellwright.data.split import Batch, Inputs, Split

__all__ = [
    "Batch",
    "DataManifest",
    "Duplicates",
    "Examples",
    "Inputs",
    "PreparedData",
    "Reader",
    "Source",
    "Split",
    "SplitName",
]
