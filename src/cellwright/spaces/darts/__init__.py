"""The cell space of DARTS."""
