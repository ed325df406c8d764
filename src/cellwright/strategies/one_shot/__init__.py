"""One-shot strategies: what trains a supernet and derives an architecture from it; a folder for each."""
