"""Chains of layers with skip connections."""
