"""Katib's side of a search: the suggestion service, the assignments of trials, and the reporting of their metrics."""
