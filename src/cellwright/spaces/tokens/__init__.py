"""The space of networks on words, for texts."""
