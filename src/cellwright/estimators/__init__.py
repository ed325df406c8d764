"""Estimators score architectures without training them in full. Each has its own folder."""
