"""Files that are either whole or not there."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cellwright.errors import CellwrightError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, which becomes `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_model(path: Path, model: BaseModel) -> None:
    """Write a model as a JSON file, atomically, having read it back; raises CellwrightError naming the file."""
    try:
        text = model.model_dump_json(indent=2) + "\n"
        type(model).model_validate_json(text)
    except ValueError as error:
        raise CellwrightError(
            f"{path}: this {type(model).__name__} could not be read again: {error}"
        ) from error
    write_text(path, text)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, indented for people."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of the file's bytes; raises CellwrightError naming it."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CellwrightError(f"{path} must be a file that can be read: {error.strerror}") from error


def link_tree(source: Path, target: Path) -> None:
    """Make `target` a copy of the folder `source`, sharing the bytes where the file system can."""

    def link(name: str, copy: str) -> None:
        try:
            os.link(name, copy)
        except OSError:
            shutil.copy2(name, copy)

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=link)
