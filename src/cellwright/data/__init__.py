"""Data: what sources give, and prepared data, split and written as memory-mapped shards.

What is exported here needs no torch, so that a spec can name a source; `prepared` and `split`, from which batches are
taken, do.
"""

from cellwright.data.examples import Examples, Source
from cellwright.data.manifest import DataManifest, Duplicates, SplitName
from cellwright.data.reading import Reader

__all__ = ["DataManifest", "Duplicates", "Examples", "Reader", "Source", "SplitName"]
