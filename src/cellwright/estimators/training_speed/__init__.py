"""Scores each architecture by how fast its training loss falls."""
