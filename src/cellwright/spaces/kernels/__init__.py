"""The space of kernel sizes and dilations, for series."""
