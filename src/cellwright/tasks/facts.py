"""Names of the facts that sources pass to tasks. Needs no torch."""

CLASS_NAMES = "class_names"
"""Class names, in the order of class indices."""
LOG = "log"
"""Whether to learn the logarithm of the targets."""
