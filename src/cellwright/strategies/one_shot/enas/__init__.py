"""ENAS."""
