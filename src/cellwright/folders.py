"""Protects the user's folders: cellwright writes to, locks or empties only folders that it made itself.

cellwright marks each folder that it makes, and only a new or empty folder can be marked. The mark is a hidden
folder. It holds one file for each entry that cellwright made. That file is the entry's lock, and it outlives the
entry: if it were deleted, two processes could hold the "same" lock. Entries without such a file are never written
or deleted.
"""

import fcntl
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

from cellwright.errors import CellwrightError
from cellwright.files import make_folder, remove_partial_files, write_json
from cellwright.step_list import STEPS

MARK = ".cellwright"
Kind = Literal["workspace", "artifacts"]
"""Whether a folder holds the steps of a spec, or the model files of MLflow."""
ARTIFACTS = "artifacts"
"""The folder beside a SQLite database where MLflow keeps model files."""

_USE: Mapping[Kind, str] = {"workspace": "the runs of a spec", "artifacts": "the files of MLflow's models"}
_KIND, _LOCK, _USERS, _ENTRIES, _TRASH = "folder.json", "lock", "users", "entries", "trash"
_STEP = re.compile(rf"({'|'.join(STEPS)})-[0-9a-f]{{16}}")
_MLFLOW_RUN = re.compile(r"[0-9a-f]{32}")


def check_ours(folder: Path, kind: Kind = "workspace") -> None:
    """Check that a folder is new, empty, or made by cellwright for this use. Changes nothing.

    Raises:
        CellwrightError: the folder holds something else; the message names both.
    """
    if folder.is_symlink():
        raise CellwrightError(
            f"{folder} must be a folder, not a symbolic link: delete the link, or choose another with --runs"
        )
    found = _kind(folder)
    if found == kind:
        return
    if found is not None:
        raise CellwrightError(f"{folder} must be a folder for {_USE[kind]}, and is one for {_USE[found]}")
    if os.path.lexists(folder) and not folder.is_dir():
        raise CellwrightError(f"{folder} must be a folder, and is a file")
    if (foreign := _foreign(folder, kind)) is not None:
        raise CellwrightError(
            f"{folder} must be new, empty or made by cellwright, and holds {foreign}: choose another with --runs"
        )


def check_apart(folder: Path, locations: Mapping[str, Path]) -> None:
    """Check that a folder neither is, contains, nor lies in one of the given locations.

    Args:
        folder: the folder to check.
        locations: the user's files and folders, by their keys in the spec.

    Raises:
        CellwrightError: the folder overlaps with a location; the message names both.
    """
    ours = folder.resolve()
    for key, location in locations.items():
        theirs = location.resolve()
        if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
            raise CellwrightError(
                f"{folder} must be apart from {key}, got {location}: choose another folder with --runs"
            )


def check_workspace(workspace: Path, locations: Mapping[str, Path]) -> None:
    """Check that a workspace does not overlap with the data, MLflow's files or anything else that is the user's.

    Args:
        workspace: the folder, which need not exist.
        locations: the user's files and folders, by their keys in the spec.

    Raises:
        CellwrightError: the workspace overlaps with something; the message names both.
    """
    if workspace.name == ARTIFACTS:
        raise CellwrightError(
            f"name must not be {ARTIFACTS}: MLflow keeps the files of all models in {workspace}; choose another name"
        )
    check_apart(workspace, locations)
    check_ours(workspace)


def make_ours(folder: Path, kind: Kind = "workspace") -> None:
    """Create the folder if it does not exist, and mark it.

    Raises:
        CellwrightError: the folder was not made by cellwright.
    """
    check_ours(folder, kind)
    if _kind(folder) == kind:
        return
    entries = folder / MARK / _ENTRIES
    entries.mkdir(parents=True, exist_ok=True)
    for name in _names(folder):  # entries of an earlier version, which wrote no marks
        (entries / name).touch()
    write_json(folder / MARK / _KIND, {"kind": kind})


def claim(path: Path) -> Path:
    """Record that cellwright makes this entry of a workspace, and return its lock. Marks the workspace if needed.

    Raises:
        CellwrightError: cellwright did not make the workspace or an existing entry, or the entry is a symbolic link.
    """
    make_ours(path.parent)
    lock = path.parent / MARK / _ENTRIES / path.name
    if path.is_symlink():
        raise CellwrightError(f"{path} must not be a symbolic link, since it is written: delete the link")
    if os.path.lexists(path) and not lock.exists():
        raise CellwrightError(f"{path} must be made by cellwright, and is not: move it to another folder")
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    return lock


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Claim a folder of a workspace, create it if it does not exist, and lock it until the process or the block ends.

    Raises:
        CellwrightError: cellwright did not make the folder, or another process holds it; the message names that
            process.
    """
    with _hold(claim(folder), f"{folder} must be used by one process at a time"):
        make_folder(folder)
        remove_partial_files(folder)
        yield


@contextmanager
def locked(workspace: Path) -> Iterator[None]:
    """Lock the workspace for one run of the whole pipeline. Creates it if it does not exist.

    Raises:
        CellwrightError: cellwright did not make the workspace, or another run holds it.
    """
    make_ours(workspace)
    with _hold(workspace / MARK / _LOCK, f"{workspace} must be used by one process at a time"):
        yield


def is_running(workspace: Path) -> bool:
    """Return whether a process on this machine runs the whole pipeline in the workspace. Takes no lock itself."""
    import psutil

    lock = workspace / MARK / _LOCK
    try:
        holder, written = lock.read_text(encoding="utf-8"), lock.stat().st_mtime
    except OSError:
        return False
    found = re.fullmatch(r"process ([0-9]+) on (.+)", holder)
    if found is None or found[2] != os.uname().nodename:
        return False
    try:
        process = psutil.Process(int(found[1]))
        is_another = process.create_time() > written + 2  # with the number of one that has ended
        return not is_another and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def forget_this_process(workspace: Path) -> None:
    """Let `is_running` be false from now on, also where this process lives on, as that of a notebook does."""
    lock = workspace / MARK / _LOCK
    with suppress(OSError):  # it is only for others to see
        if lock.read_text(encoding="utf-8") == _this_process():
            lock.write_text("", encoding="utf-8")


def _this_process() -> str:
    return f"process {os.getpid()} on {os.uname().nodename}"


@contextmanager
def used(workspace: Path, *, fresh: bool = False) -> Iterator[None]:
    """Keep other processes from emptying the workspace while a command works in it. Creates it if it does not exist.

    Args:
        workspace: the folder.
        fresh: delete everything that cellwright made in it first.

    Raises:
        CellwrightError: cellwright did not make the workspace, or another process works in it and it cannot be emptied.
    """
    make_ours(workspace)
    with (workspace / MARK / _USERS).open("a") as users:
        if fresh:
            _clear(workspace, users.fileno())
        fcntl.flock(users, fcntl.LOCK_SH)
        yield


def _clear(workspace: Path, users: int) -> None:
    """Delete everything that cellwright made in the workspace, each entry as a whole or not at all."""
    mark, rule = workspace / MARK, f"--fresh must have {workspace} to itself"
    entries = sorted(lock.name for lock in (mark / _ENTRIES).glob("*"))
    with ExitStack() as held:
        for name in entries:
            held.enter_context(_hold(mark / _ENTRIES / name, rule, f"is running {name}"))
        held.enter_context(_hold(mark / _LOCK, rule))
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CellwrightError(f"{rule}: another process is using it") from error
        trash = mark / _TRASH
        try:
            trash.mkdir(exist_ok=True)
            for name in entries:
                if os.path.lexists(workspace / name):
                    (workspace / name).rename(Path(tempfile.mkdtemp(dir=trash)) / name)
            shutil.rmtree(trash)
        except OSError as error:
            location = error.filename or workspace
            raise CellwrightError(f"cannot delete {location}: {error.strerror or error}") from error


@contextmanager
def _hold(lock: Path, rule: str, activity: str = "is using it") -> Iterator[None]:
    """Hold a lock until the end of the block. The lock's file names the process that holds it."""
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise CellwrightError(f"{rule}: {file.read() or 'another process'} {activity}") from error
        file.truncate(0)
        file.write(_this_process())
        file.flush()
        yield


def _kind(folder: Path) -> Kind | None:
    if (folder / MARK).is_symlink():
        return None
    try:
        found = json.loads((folder / MARK / _KIND).read_bytes())["kind"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if found in _USE else None


def _names(folder: Path) -> list[str]:
    """Return the names of the folder's entries, except for the mark, which another process may still be making."""
    return sorted(name for name in os.listdir(folder) if name != MARK)


def _foreign(folder: Path, kind: Kind) -> str | None:
    """Return the name of an entry that cellwright did not make in a folder without a mark, or None."""
    if not folder.exists():
        return None
    mark = folder / MARK
    if os.path.lexists(mark) and (mark.is_symlink() or not mark.is_dir()):
        return MARK
    names = _names(folder)
    if kind == "artifacts":
        return next((name for name in names if not _is_of_mlflow(folder / name)), None)
    made = [name for name in names if _STEP.fullmatch(name) and _is_step(folder / name)]
    if made:
        made += [
            name for name in ("run.log", "latest.json", "kfp", ".lock") if not (folder / name).is_symlink()
        ]
    return next((name for name in names if name not in made), None)


def _is_step(folder: Path) -> bool:
    """Return whether a folder of an unmarked workspace is a step's: it has a step's record or lock."""
    try:
        record = json.loads((folder / "step.json").read_bytes())
        return bool(f"{record['step']}-{record['key']}" == folder.name)
    except (OSError, ValueError, TypeError, KeyError):
        return _is_empty_file(folder / ".lock")


def _is_of_mlflow(entry: Path) -> bool:
    """Return whether an entry of an unmarked folder was made by MLflow: a run's files, or a folder of models."""
    if entry.is_symlink() or not entry.is_dir():
        return False
    if entry.name == "models":
        return all(model.name.startswith("m-") for model in entry.iterdir())
    return bool(_MLFLOW_RUN.fullmatch(entry.name))


def _is_empty_file(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == 0
