"""Stages of blocks: well-known hand-designed networks, and everything in between."""
