"""Zero-cost proxies: what an untrained network answers to a few examples."""
