"""Neural architecture search as Kubeflow pipelines: `cellwright.run("search.yaml")`, or the command `cellwright`."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Run", "run"]


def __getattr__(name: str) -> Any:
    """Import the Python API on first use, so that commands start quickly."""
    if name in __all__:
        return getattr(import_module("cellwright.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
