"""Time series: what was measured over time, on one or many channels; a class or a number is predicted."""
