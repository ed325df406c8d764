"""Runners: where trials run."""

from cellwright.runners._base import Key, Outcome, Runner
from cellwright.runners._local import LocalRunner

__all__ = ["Key", "LocalRunner", "Outcome", "Runner"]
