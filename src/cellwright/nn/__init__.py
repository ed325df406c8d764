"""Networks: primitives as modules, the supernet, derived networks, and what they cost."""
