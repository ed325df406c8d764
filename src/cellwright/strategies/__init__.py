"""Search strategies: what proposes architectures."""
