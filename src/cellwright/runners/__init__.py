"""Runners: where trials run."""
