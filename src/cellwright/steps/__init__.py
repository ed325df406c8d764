"""The steps of the pipeline, each a function from a view of the spec and input folders to an output folder."""

from collections.abc import Mapping
from pathlib import Path

Inputs = Mapping[str, Path]
"""The folders of earlier steps, by step name."""
