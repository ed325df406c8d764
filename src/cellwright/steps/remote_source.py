"""Downloads data from S3 for the time that `prepare` reads it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cellwright.canonical import digest
from cellwright.data.reading import build_reader
from cellwright.errors import DataError
from cellwright.progress import Progress
from cellwright.spec import DataSection, StoredData
from cellwright.stores import S3Object, S3Reader
from cellwright.stores.names import checked

SOURCE = ".source"
"""Subfolder of prepare's folder for the data while it is read; hidden, so that stores do not copy it."""
MIB = 1 << 20

Listing = dict[str, dict[str, S3Object]]
"""The S3 objects of each key of the section, by their name relative to its URI; a single file has the name ""."""


def remote_contents(section: DataSection) -> dict[str, dict[str, Any]]:
    """Return identifiers of the content of the section's objects, without reading them."""
    if not isinstance(section, StoredData) or not section.uris:
        return {}
    return _contents(_list(section, S3Reader(section.endpoint)))


@contextmanager
def on_this_machine(
    section: DataSection, folder: Path, progress: Progress
) -> Iterator[tuple[DataSection, Callable[[str], None]]]:
    """Yield the section with local files instead of objects, and a function that reports messages about the objects.

    Downloaded files are deleted at the end of the block, or if the data is rejected. A killed download resumes later.
    Errors in the data also name the objects.

    Raises:
        CellwrightError: an object cannot be read.
    """
    if not isinstance(section, StoredData) or not section.uris:
        yield section, progress.log
        return
    reader = S3Reader(section.endpoint, log=progress.log)
    listing = _list(section, reader)
    root = folder / SOURCE / digest(_contents(listing))
    locations = {key: root / key / Path(uri).name for key, uri in section.uris.items()}
    objects = {
        locations[key] / name: found for key, files in listing.items() for name, found in files.items()
    }
    size = sum(found.size for found in objects.values()) / MIB
    progress.log(f"downloading {', '.join(section.uris.values())}: {len(objects)} objects, {size:.1f} MiB")
    reader.download(objects, root / "parts", progress)

    def of_objects(message: str) -> str:
        for key, location in locations.items():
            message = message.replace(str(location), section.uris[key])
        return message

    try:
        yield section.model_copy(update=locations), lambda fact: progress.log(of_objects(fact))
    except DataError as error:
        shutil.rmtree(folder / SOURCE)
        raise DataError(of_objects(str(error))) from error
    shutil.rmtree(folder / SOURCE)


def _list(section: StoredData, reader: S3Reader) -> Listing:
    return {key: _objects(section, key, uri, reader) for key, uri in section.uris.items()}


def _objects(section: StoredData, key: str, uri: str, reader: S3Reader) -> dict[str, S3Object]:
    if key not in section.FOLDERS:
        return {"": reader.find(uri)}
    below = reader.below(uri)
    return {checked(name, uri): below[name] for name in build_reader(section).names(uri, below)}


def _contents(listing: Listing) -> dict[str, dict[str, Any]]:
    return {
        key: {name: [found.size, found.etag] for name, found in files.items()}
        for key, files in listing.items()
    }
