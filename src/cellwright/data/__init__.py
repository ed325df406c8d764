"""Data: examples from data sources, and prepared data, split and written as memory-mapped shards.

This package's exports need no torch, so that a spec can name a data source. `prepared` and `split`, which yield
batches, do.
"""

from cellwright.data.examples import Examples, Source
from cellwright.data.manifest import DataManifest, Duplicates, SplitName
from cellwright.data.reading import Reader

__all__ = ["DataManifest", "Duplicates", "Examples", "Reader", "Source", "SplitName"]
