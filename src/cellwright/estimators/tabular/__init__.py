"""Looks up architectures in NAS-Bench-201's table."""
