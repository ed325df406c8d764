"""The sources of texts."""
