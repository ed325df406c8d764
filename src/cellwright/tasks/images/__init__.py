"""Images and their classes."""

from cellwright.tasks.images.preparing import prepare
from cellwright.tasks.images.reading import source_digest
from cellwright.tasks.images.sources.folder import class_names

__all__ = ["class_names", "prepare", "source_digest"]
