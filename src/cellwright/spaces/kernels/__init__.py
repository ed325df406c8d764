"""The space of kernels and dilations, for series."""
