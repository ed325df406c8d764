"""One-shot strategies train a supernet and derive an architecture from it. Each has its own folder."""
