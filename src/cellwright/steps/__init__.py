"""What the steps of the pipeline do, each a function from a view of the spec and folders to a folder."""

from collections.abc import Mapping
from pathlib import Path

Inputs = Mapping[str, Path]
"""The folders of earlier steps, by step name."""
