"""Texts of which a class or a number is predicted: bytes come in, words are found and hashed in the network."""
