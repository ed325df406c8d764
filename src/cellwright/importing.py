"""Finding what users bring along in packages of their own, by import path."""

import importlib
from typing import Any, TypeVar

from cellwright.errors import CellwrightError

T = TypeVar("T")


def load_object(path: str) -> Any:
    """Return what an import path `MODULE:NAME` stands for.

    Raises:
        CellwrightError: the module cannot be imported, or has no such name.
    """
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise CellwrightError(
            f"{path}: cannot import {module_name}, which must be installed or on PYTHONPATH: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, name):
        raise CellwrightError(f"{path}: {module.__file__} has no {name!r}")
    return getattr(module, name)


def load_class(path: str, base: type[T]) -> type[T]:
    """Return the class that an import path stands for, a subclass of `base`.

    Raises:
        CellwrightError: it cannot be imported, or is something else.
    """
    found = load_object(path)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise CellwrightError(
            f"{path} must be a subclass of {base.__module__}.{base.__qualname__}, got {found!r}"
        )
    return found
