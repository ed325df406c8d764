"""Random search with weight sharing."""
