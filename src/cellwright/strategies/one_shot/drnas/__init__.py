"""DrNAS."""
