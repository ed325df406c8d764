"""Networks: primitives as modules, the supernet, derived networks, their costs and their export."""
