"""From the spec's `data` section to examples, and to a digest of what they are read from."""

from collections.abc import Callable, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from cellwright.canonical import digest
from cellwright.data.examples import Source
from cellwright.data.opening import open_file
from cellwright.spec import DataSection
from cellwright.tasks.images.sources.digits import DigitsSection, read_digits
from cellwright.tasks.images.sources.folder import FolderSection, class_files, read_images
from cellwright.tasks.images.sources.idx import IdxSection, read_idx
from cellwright.tasks.images.sources.npz import NpzSection, read_npz


def read_source(section: DataSection, say: Callable[[str], None]) -> Source:
    """Read and check everything the section names, all of it on this machine."""
    match section:
        case DigitsSection():
            return read_digits()
        case NpzSection():
            return read_npz(section, say)
        case IdxSection():
            return read_idx(section)
        case FolderSection():
            return read_images(section, say)
        case _:
            raise AssertionError(f"no reader for {section.source}")


def describe_source(section: DataSection) -> str:
    """Say in a line where data comes from, without the folders it lies in."""
    return " ".join([section.source, *(Path(place).name for place in section.places.values())])


def source_digest(section: DataSection, elsewhere: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Return a digest of the section's settings and of the contents of its files, wherever they lie.

    Args:
        section: the section.
        elsewhere: for each key whose place is not on this machine, what identifies the contents of the files there.

    Raises:
        DataError: a file or folder is missing or cannot be read.
    """
    paths = {key: place for key, place in section.places.items() if isinstance(place, Path)}
    settings = section.model_dump(mode="json", exclude={*section.places, "endpoint"})
    match section:
        case DigitsSection():
            examples = read_digits().examples
            arrays = {"images": examples.images, "labels": examples.labels}
            contents = {"": {part: sha256(array.tobytes()).hexdigest() for part, array in arrays.items()}}
        case FolderSection():
            contents = {key: _folder_contents(path) for key, path in paths.items()}
        case _:
            contents = {key: {"": _file_digest(path)} for key, path in paths.items()}
    return digest({"settings": settings, "contents": {**contents, **(elsewhere or {})}})


def _folder_contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): _file_digest(file)
        for files in class_files(folder).values()
        for file in files
    }


def _file_digest(path: Path) -> str:
    with open_file(path) as file:
        return file_digest(file, "sha256").hexdigest()
