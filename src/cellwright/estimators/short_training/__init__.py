"""Short training."""
