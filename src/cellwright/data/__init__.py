"""Prepared data: split, written as memory-mapped shards, and served in batches."""

from cellwright.data.manifest import DataManifest, Duplicates, SplitName
from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split

__all__ = ["DataManifest", "Duplicates", "PreparedData", "Split", "SplitName"]
