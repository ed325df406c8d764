"""The container images of this version, as named by `make images`."""

from cellwright import __version__

CELLWRIGHT = f"ghcr.io/cellwright/cellwright:{__version__}"
"""The image of pipeline steps and trials."""
SUGGESTION = f"ghcr.io/cellwright/suggestion:{__version__}"
"""The image of Katib's suggestion service."""
