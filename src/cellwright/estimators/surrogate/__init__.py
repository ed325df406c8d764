"""Predicts scores with a surrogate model."""
