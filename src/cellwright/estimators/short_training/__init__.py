"""Trains each architecture for a few epochs."""
