"""Looking architectures up in NAS-Bench-201's table."""
