"""Scores architectures with the shared weights of one supernet."""
