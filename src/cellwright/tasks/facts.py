"""What sources call the facts that tasks read. No torch."""

CLASS_NAMES = "class_names"
"""What classes are called, in the order of their numbers."""
LOG = "log"
"""Whether the logarithm of the targets is to be learnt."""
