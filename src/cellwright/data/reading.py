"""Readers of the data sources that a `data` section can name."""

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
"""For each key of the section that names a location: an identifier of the content of each file there."""


@dataclass(frozen=True, kw_only=True)
class SpecSuggestion:
    """A suggestion how to read data of an unknown kind."""

    keys: Mapping[str, Any]
    """Keys of the `data` section, with their values."""
    remarks: tuple[str, ...]
    """Remarks for the user, one line each."""
    num_examples: int
    shape: tuple[int, ...]
    """Shape of one example."""
    search: tuple[str, ...] = ()
    """Lines of YAML that say how to search for this data; () for a race with a budget in minutes."""


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """What a reader may use for data that is larger than memory."""

    folder: Path
    """A folder for temporary files, which may not exist yet. What a killed `prepare` left there is still there when it
    reads the same data again; it is deleted when the data is prepared."""
    num_processes: int = 1
    """Number of processes that may work at a time."""


class Reader(ABC):
    """Reads one kind of data source; each section names its reader.

    Args:
        section: the data source. Its files must be on this machine before `read` is called.
    """

    scratch: Scratch | None = None
    """Set by `prepare` before it calls `read`."""

    def __init__(self, section: Any) -> None:
        self.section = section

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Return how the data at the path could be read, without reading all of it; None if this reader cannot read it.

        Raises:
            DataError: the data is of this reader's kind, but invalid.
        """
        return None

    @abstractmethod
    def read(self, log: Callable[[str], None]) -> Source:
        """Read and check all data of the section; raises DataError naming the file and the rule."""

    def contents(self) -> Contents:
        """Return the digests of the local files."""
        paths = self._paths()
        for key in paths.keys() & set(self.section.FOLDERS):
            require_folder(paths[key])
        return {key: self._digests(path) for key, path in paths.items()}

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the files of a folder that this reader reads."""
        return (path for path in sorted(folder.rglob("*")) if path.is_file())

    def names(self, origin: str, names: Iterable[str]) -> list[str]:
        """Return the names in a remote folder that this reader reads; raises DataError if they are not its data."""
        return list(names)

    def check(self, key: str, path: Path) -> None:
        """Check a location without reading it; raises DataError if it cannot be this kind of data."""
        (require_folder if key in self.section.FOLDERS else require_file)(path)

    def _paths(self) -> dict[str, Path]:
        return {
            key: location for key, location in self.section.locations.items() if isinstance(location, Path)
        }

    def _digests(self, path: Path) -> dict[str, str]:
        if path.is_dir():
            return {str(file.relative_to(path)): _file_digest(file) for file in self.files(path)}
        return {"": _file_digest(path)}


def build_reader(section: DataSection) -> Reader:
    """Return the reader of a section."""
    return load_class(section.reader, Reader)(section)  # type: ignore[type-abstract]


def suggest_data(path: Path, sections: Mapping[str, type[DataSection]]) -> tuple[str, SpecSuggestion] | None:
    """Return the first kind of source that can read the data at the path, and how; None if there is none."""
    for kind, section in sections.items():
        reader = load_class(section.reader, Reader)  # type: ignore[type-abstract]
        if (found := reader.suggest(path)) is not None:
            return kind, found
    return None


def describe_source(section: DataSection) -> str:
    """Return a one-line description of a data source, without the folders in its paths."""
    return " ".join([section.source, *(Path(location).name for location in section.locations.values())])


def source_digest(section: DataSection, elsewhere: Contents | None = None) -> str:
    """Return a digest of the section's settings and its files' contents, independent of their location.

    Args:
        section: the data source.
        elsewhere: for each key that names a remote location, identifiers of the contents of its files.

    Raises:
        DataError: a file or folder is missing or cannot be read.
    """
    settings = section.model_dump(mode="json", exclude={*section.locations, "endpoint"})
    contents = build_reader(section).contents()
    return digest({"settings": settings, "contents": {**contents, **(elsewhere or {})}})


def _file_digest(path: Path) -> str:
    with open_file(path) as file:
        return file_digest(file, "sha256").hexdigest()
