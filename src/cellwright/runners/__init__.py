"""Runners: where trials run."""

from cellwright.runners._local import LocalRunner, Outcome

__all__ = ["LocalRunner", "Outcome"]
