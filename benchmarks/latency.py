"""How well a latency table tells what is measured, and whether limits are kept; prints and writes a table."""
