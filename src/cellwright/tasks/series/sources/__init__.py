"""The sources of time series."""
