"""A surrogate that predicts scores."""
