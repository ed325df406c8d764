"""Data sources of images."""
