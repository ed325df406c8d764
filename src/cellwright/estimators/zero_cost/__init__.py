"""Zero-cost proxies, computed on an untrained network from a few examples."""
