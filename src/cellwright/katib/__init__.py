"""Katib's side of a search: the suggestion service, how trials are spelt for it, and how they report."""
