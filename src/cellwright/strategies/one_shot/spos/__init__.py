"""SPOS."""
