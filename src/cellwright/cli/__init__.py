"""The command line."""

from cellwright.cli.app import main

__all__ = ["main"]
