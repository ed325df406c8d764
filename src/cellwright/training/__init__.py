"""Training loops, and the checkpoints that they go on from."""
