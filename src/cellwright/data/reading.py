"""What reads the examples that a `data` section names."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from cellwright.canonical import digest
from cellwright.data.examples import Source
from cellwright.data.opening import open_file, require_file, require_folder
from cellwright.importing import load_class
from cellwright.spec import DataSection

Contents = Mapping[str, Mapping[str, Any]]
"""For each key of the section that says where something is: what tells one state of each file there from another."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """How data of an unknown kind could be read."""

    keys: Mapping[str, Any]
    """Of the `data` section, with their values."""
    remarks: tuple[str, ...]
    """What people should know, a line each."""
    num_examples: int
    shape: tuple[int, ...]
    """Of one example."""


class Reader(ABC):
    """Reads one kind of source; each section names its reader.

    Args:
        section: the source, with all of it on this machine when `read` is called.
    """

    def __init__(self, section: Any) -> None:
        self.section = section

    @classmethod
    def suggest(cls, path: Path) -> Suggestion | None:
        """Return how what lies at the path could be read, without reading all of it; None if not by this reader.

        Raises:
            DataError: it is data for this reader, but something is wrong with it.
        """
        return None

    @abstractmethod
    def read(self, say: Callable[[str], None]) -> Source:
        """Read and check everything that the section names; raises DataError naming the file and the rule."""

    def contents(self) -> Contents:
        """Return the digests of the files on this machine."""
        return {key: self._digests(path) for key, path in self._paths().items()}

    def files(self, folder: Path) -> Iterable[Path]:
        """Return which files of a folder are read."""
        return (path for path in sorted(folder.rglob("*")) if path.is_file())

    def names(self, origin: str, names: Iterable[str]) -> list[str]:
        """Return which of the names below a folder elsewhere are read; raises DataError where they are no data."""
        return list(names)

    def check(self, key: str, path: Path) -> None:
        """Raise DataError where the place that a key names can be seen not to be data, without reading it."""
        (require_folder if key in self.section.FOLDERS else require_file)(path)

    def _paths(self) -> dict[str, Path]:
        return {key: place for key, place in self.section.places.items() if isinstance(place, Path)}

    def _digests(self, path: Path) -> dict[str, str]:
        if path.is_dir():
            return {str(file.relative_to(path)): _file_digest(file) for file in self.files(path)}
        return {"": _file_digest(path)}


def build_reader(section: DataSection) -> Reader:
    """Return what reads the section's examples."""
    return load_class(section.reader, Reader)(section)  # type: ignore[type-abstract]


def suggest_data(path: Path, sections: Mapping[str, type[DataSection]]) -> tuple[str, Suggestion] | None:
    """Return the first of the sources, by kind, that can read what lies at the path, and how; None if none can."""
    for kind, section in sections.items():
        reader = load_class(section.reader, Reader)  # type: ignore[type-abstract]
        if (found := reader.suggest(path)) is not None:
            return kind, found
    return None


def describe_source(section: DataSection) -> str:
    """Say in a line where data comes from, without the folders it lies in."""
    return " ".join([section.source, *(Path(place).name for place in section.places.values())])


def source_digest(section: DataSection, elsewhere: Contents | None = None) -> str:
    """Return a digest of the section's settings and of the contents of its files, wherever they are.

    Args:
        section: the section.
        elsewhere: for each key whose place is not on this machine, what identifies the contents of the files there.

    Raises:
        DataError: a file or folder is missing or cannot be read.
    """
    settings = section.model_dump(mode="json", exclude={*section.places, "endpoint"})
    contents = build_reader(section).contents()
    return digest({"settings": settings, "contents": {**contents, **(elsewhere or {})}})


def _file_digest(path: Path) -> str:
    with open_file(path) as file:
        return file_digest(file, "sha256").hexdigest()
