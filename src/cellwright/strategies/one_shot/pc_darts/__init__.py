"""PC-DARTS."""
