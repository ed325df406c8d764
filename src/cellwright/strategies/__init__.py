"""Search strategies, which propose architectures."""
