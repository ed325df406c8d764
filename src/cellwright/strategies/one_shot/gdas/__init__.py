"""GDAS."""
