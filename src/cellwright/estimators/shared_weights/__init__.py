"""Scores with the weights of one supernet."""
