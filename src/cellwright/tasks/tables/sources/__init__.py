"""The sources of tables."""
