"""A chain of layers that also read earlier ones."""
