"""β-DARTS."""
