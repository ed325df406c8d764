"""Forecasts of the next values of time series."""
