"""Imports the users' own packages by import path."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any, TypeVar

from cellwright.errors import CellwrightError

T = TypeVar("T")


def find_package(path: str) -> Path:
    """Return the folder or file of an import path's top-level package, without importing it.

    Raises:
        CellwrightError: the package does not exist.
    """
    name = path.partition(":")[0].partition(".")[0]
    found = importlib.util.find_spec(name)
    if found is None:
        raise CellwrightError(f"{path}: cannot find {name}, which must be installed or on PYTHONPATH")
    folders = list(found.submodule_search_locations or ())
    return Path(folders[0] if folders else str(found.origin))


def load_object(path: str) -> Any:
    """Return the object at an import path `MODULE:NAME`.

    Raises:
        CellwrightError: the module cannot be imported, or has no such name.
    """
    module_name, _, name = path.partition(":")
    find_package(path)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise CellwrightError(
            f"{path}: importing {module_name} must succeed, got {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, name):
        raise CellwrightError(f"{path}: {module.__file__} must have the name {name!r}, and has not")
    return getattr(module, name)


def load_class(path: str, base: type[T]) -> type[T]:
    """Return the class at an import path, which must be a subclass of `base`.

    Raises:
        CellwrightError: it cannot be imported, or is not such a class.
    """
    found = load_object(path)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise CellwrightError(
            f"{path} must be a subclass of {base.__module__}.{base.__qualname__}, got {found!r}"
        )
    return found
