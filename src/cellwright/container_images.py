"""The images of this version, as `make images` names them."""

from cellwright import __version__

CELLWRIGHT = f"ghcr.io/cellwright/cellwright:{__version__}"
"""What pipeline steps and trials run in."""
SUGGESTION = f"ghcr.io/cellwright/suggestion:{__version__}"
"""Katib's suggestion service."""
