"""The one image that every component runs in."""

from cellwright import __version__

IMAGE = f"ghcr.io/cellwright/cellwright:{__version__}"
