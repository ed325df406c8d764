"""Atomic files: a reader sees a complete file or none."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cellwright.errors import CellwrightError

PARTIAL = ".partial"
"""Suffix of files that are being written. Their names also start with a dot."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces `path` if the block succeeds.

    The file and its directory entry are synced to disk. The file's mode follows the umask.
    """
    with _partial(path) as temporary:
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # some libraries replace the file
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Yield a new empty file beside `path`, and delete it at the end of the block."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def create_text(path: Path, text: str) -> bool:
    """Write a text file atomically unless it exists, and return whether it was written.

    If several processes do this at once, exactly one writes the file.
    """
    with _partial(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        _sync(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        _sync(path.parent)
        return True


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and sync their directory entries to disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _sync(folder.parent)


def remove_partial_files(folder: Path) -> None:
    """Delete the incomplete files of killed processes in a folder that no other process writes to."""
    for path in folder.rglob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Sync a file's content, or a folder's entries, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (
            path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)
        ):  # some volumes cannot sync folders
            raise
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_model(path: Path, model: BaseModel) -> None:
    """Validate a model and write it as a JSON file atomically; raises CellwrightError naming the file."""
    write_text(path, model_json(path, model))


def model_json(path: Path, model: BaseModel) -> str:
    """Return the text of a model's JSON file, after validating it; raises CellwrightError naming the file."""
    try:
        text = model.model_dump_json(indent=2) + "\n"
        type(model).model_validate_json(text)
    except ValueError as error:
        raise CellwrightError(
            f"{path}: this {type(model).__name__} could not be read again: {reason_of(error)}"
        ) from error
    return text


def reason_of(error: Exception) -> str:
    """Return a one-line reason why something could not be read."""
    if isinstance(error, ValidationError):
        found = (
            (".".join(map(str, details["loc"])), details["msg"].removeprefix("Value error, "))
            for details in error.errors()
        )
        return "; ".join(f"{location}: {message}" if location else message for location, message in found)
    return " ".join(str(error).split())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, indented for people."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def files_below(path: Path) -> list[Path]:
    """Return the complete files below a folder. Skips hidden files, which are partial or cached.

    Files that another process deletes meanwhile are skipped too.
    """
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = (Path(folder, name) for name in names if not name.startswith("."))
        found += [file for file in files if file.is_file()]
    return found


def file_digest(path: Path) -> str:
    """Return the SHA-256 of the file's bytes; raises CellwrightError naming it."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CellwrightError(f"{path} must be a file that can be read: {error.strerror}") from error


def link_tree(source: Path, target: Path) -> None:
    """Copy the folder `source` to `target`, sharing the content where the file system can."""

    def link(name: str, copy: str) -> None:
        try:
            os.link(name, copy)
        except OSError:
            shutil.copy2(name, copy)

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=link)
