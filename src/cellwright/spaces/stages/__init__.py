"""Stages of blocks: the networks that people know, and what lies between them."""
