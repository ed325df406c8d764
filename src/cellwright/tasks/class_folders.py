"""Lists the files of folders that are classes, for tasks other than images."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cellwright.errors import DataError
from cellwright.tasks.folder_names import is_junk, normal, require_class_folders


def classified_files(
    folder: Path, suffixes: Sequence[str], log: Callable[[str], None]
) -> list[tuple[str, Path]]:
    """Return the files of a folder per class, also in subfolders, each with its class, which is normalised.

    Args:
        folder: has the folders of the classes.
        suffixes: of the files, lower case with the dot; others are reported.
        log: receives a message if there are others.

    Raises:
        DataError: a class has no such file, or there are no classes.
    """
    wanted = ", ".join(suffixes)
    try:
        folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not is_junk(path.name)]
        require_class_folders(folder, folders)
        files = [
            (normal(path.name), file)
            for path in folders
            for file in sorted(path.rglob("*"))
            if file.is_file() and not any(map(is_junk, file.relative_to(path).parts))
        ]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
    found = [(name, file) for name, file in files if file.suffix.lower() in suffixes]
    if len(found) < len(files):
        log(f"{folder}: passed over {len(files) - len(found)} files, which by their names are not {wanted}")
    if empty := {normal(path.name) for path in folders} - {name for name, _ in found}:
        raise DataError(f"{folder}: every class must have {wanted} files, and {min(empty)!r} has none")
    if not found:
        raise DataError(f"{folder}: must hold a folder per class with {wanted} files, but holds none")
    return found
