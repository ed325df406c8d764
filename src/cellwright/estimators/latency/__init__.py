"""Latency on this device."""
