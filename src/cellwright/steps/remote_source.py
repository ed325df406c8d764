"""Bringing the data that lies in S3 to this machine, for as long as `prepare` reads it."""

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
"""The folder within prepare's that has the data while it is read; hidden, so that no store gets a copy."""
MIB = 1 << 20

Listing = dict[str, dict[str, S3Object]]
"""For each key of the section whose place is in S3: the objects by name within the place; a file has the name ""."""


def remote_contents(section: DataSection) -> dict[str, dict[str, Any]]:
    """Return what tells one state of the objects that the section reads from another, without reading them."""
    if not isinstance(section, StoredData) or not section.uris:
        return {}
    return _contents(_list(section, S3Reader(section.endpoint)))


@contextmanager
def on_this_machine(
    section: DataSection, folder: Path, progress: Progress
) -> Iterator[tuple[DataSection, Callable[[str], None]]]:
    """Give the section with files of this machine in place of objects, and a way to say facts about the objects.

    What was downloaded is deleted at the end of the block, or when the data is refused; a download that is killed goes
    on where it was. Errors in the data name the objects too.

    Raises:
        CellwrightError: an object cannot be had.
    """
    if not isinstance(section, StoredData) or not section.uris:
        yield section, progress.say
        return
    reader = S3Reader(section.endpoint, say=progress.say)
    listing = _list(section, reader)
    root = folder / SOURCE / digest(_contents(listing))
    places = {key: root / key / Path(uri).name for key, uri in section.uris.items()}
    objects = {places[key] / name: found for key, files in listing.items() for name, found in files.items()}
    size = sum(found.size for found in objects.values()) / MIB
    progress.say(f"downloading {', '.join(section.uris.values())}: {len(objects)} objects, {size:.1f} MiB")
    reader.download(objects, root / "parts", progress)

    def of_objects(message: str) -> str:
        for key, place in places.items():
            message = message.replace(str(place), section.uris[key])
        return message

    try:
        yield section.model_copy(update=places), lambda fact: progress.say(of_objects(fact))
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
