"""The space of dense networks, for tables."""
