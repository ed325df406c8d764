"""Predicts the latency on this device."""
