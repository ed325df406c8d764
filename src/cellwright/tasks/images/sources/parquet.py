"""Parquet files of encoded images and labels, as image data sets of Hugging Face have them.

https://huggingface.co/docs/hub/datasets-image
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellwright.data.memory import require_memory
from cellwright.data.opening import open_data
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import DataError
from cellwright.spec.location import Location
from cellwright.tasks.folder_names import escaped, is_junk, part_of_split
from cellwright.tasks.images.decoding import EncodedImage
from cellwright.tasks.images.sources.folder import (
    EncodedImages,
    EncodedImagesReader,
    ImageFilesSection,
    SetKey,
)
from cellwright.tasks.labels import USUAL_LABELS, number_classes, read_labels

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".parquet"
SETS: dict[SetKey, str] = {"path": "train", "validation_path": "validation", "test_path": "test"}


class ParquetSection(ImageFilesSection):
    """A parquet file whose rows have an encoded image and a label, or a folder of such files.

    An image is bytes, or a struct with `bytes`. Files in a folder whose names begin with `train-`, `validation-` or
    `test-` are these sets.
    """

    reader = "cellwright.tasks.images.sources.parquet:ParquetReader"
    SUFFIXES = (SUFFIX,)
    task = "images"

    source: Literal["parquet"]
    path: Location
    """The file, or a folder of files on this machine."""
    image_column: str | None = None
    """The column of images; by default, the first that can be one."""
    label_column: str | None = None
    """The column of labels, whole numbers or text; by default the one with a usual name, such as `label`."""


class ParquetReader(EncodedImagesReader):
    """Decodes the images in parquet files."""

    section: ParquetSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Accept files with a column of images."""
        files = _files(path) if path.is_dir() or path.suffix.lower() == SUFFIX else []
        if not files or not any(map(_is_image, _schema(files[0]))):
            return None
        return cls(ParquetSection(source="parquet", path=path)).suggestion({"path": path})

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the parquet files of a folder."""
        return _files(folder)

    def check(self, key: str, path: Path) -> None:
        """Check that all files have the columns."""
        for file in _files(path):
            _columns(file, self.section)

    def images(self, key: SetKey, log: Callable[[str], None]) -> EncodedImages | None:
        """Return the images that a key names; without the key, those of the files in `path` named after its set."""
        own, location = Path(self.section.path), getattr(self.section, key)
        if key != "path" and location is not None:
            return _read(Path(location), _files(Path(location)), self.section)
        sets: dict[str, list[Path]] = {}
        for file in _files(own):
            part = part_of_split(file.name.split("-")[0]) if own.is_dir() and "-" in file.name else None
            sets.setdefault(part or "train", []).append(file)
        if "test" not in sets and "validation" in sets:
            sets["test"] = sets.pop("validation")
        files = sets.get(SETS[key], [])
        if len(sets) > 1 and files:
            log(f"{own}: the {SETS[key]} set is {', '.join(escaped(file.name) for file in files)}")
        return _read(own, files, self.section) if files or key == "path" else None


def encoded_images(file: Path) -> Iterator[bytes]:
    """Yield the images of a file to predict from, still encoded; labels are not needed.

    Raises:
        DataError: the file cannot be read, or has not one column that can be of images.
    """
    columns = [field.name for field in _schema(file) if _is_image(field)]
    if len(columns) != 1:
        raise DataError(
            f"{file}: must have one column of encoded images (bytes, or a struct with bytes) to predict from, got "
            + (escaped(", ".join(columns)) or "none")
        )
    images = _images(file, columns)[columns[0]]
    for row in range(len(images)):
        yield _content(images, row).getvalue()


def _files(path: Path) -> list[Path]:
    """Return the file, or the parquet files of a folder and its subfolders."""
    if not path.is_dir():
        return [path]
    files = (file for file in sorted(path.rglob("*")) if file.suffix.lower() == SUFFIX)
    return [file for file in files if not any(map(is_junk, file.relative_to(path).parts))]


def _read(location: Path, files: Sequence[Path], section: ParquetSection) -> EncodedImages:
    """Return the images of some files by class. They stay encoded until they are opened."""
    if not files:
        raise DataError(f"{location}: must have a {SUFFIX} file, and has none")
    images: list[EncodedImage] = []
    labels: list[Any] = []
    names: Sequence[str] | None = None
    for file in files:
        table, names = _table(file, section)
        contents, found = table.columns
        labels += found.to_pylist()
        images += [
            EncodedImage(f"{escaped(file.name)} row {row}", partial(_content, contents, row))
            for row in range(len(contents))
        ]
    if None in labels:
        raise DataError(
            f"{location}: each row must have a label, but {images[labels.index(None)].name} has none"
        )
    array = read_labels(np.array(labels), len(images), str(location), lambda fact: None)
    if names is None or array.dtype.kind == "U":
        names, [indices] = number_classes(array, str(location), None)
    elif (wrong := (array < 0) | (array >= len(names))).any():
        raise DataError(
            f"{location}: labels must be from 0 to {len(names) - 1}, as {len(names)} names are in the files, got "
            f"{array[wrong][0]}; labels of -1 are often left out on purpose, in test sets"
        )
    else:
        indices = array
    members: dict[str, list[EncodedImage]] = {name: [] for name in names}
    for image, index in zip(images, indices.tolist(), strict=True):
        members[names[index]].append(image)
    return EncodedImages(str(location), str(location), {name: some for name, some in members.items() if some})


def _table(file: Path, section: ParquetSection) -> tuple["pa.Table", Sequence[str] | None]:
    """Return the column of images' bytes and that of labels, and the classes' names if the file has them."""
    image_column, label_column = _columns(file, section)
    table = _images(file, [image_column, label_column])
    with _explained(file):
        features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        feature = features.get("info", {}).get("features", {}).get(label_column, {})
    return table, feature.get("names")


def _images(file: Path, columns: list[str]) -> "pa.Table":
    """Return some columns, of which the first one has the bytes of images."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    require_memory(str(file), file.stat().st_size)
    with open_data(file) as opened, _explained(file):
        table = pq.read_table(opened, columns=columns).select(columns)
        if not _is_bytes(table.schema.field(columns[0]).type):
            table = table.set_column(0, columns[0], pc.struct_field(table[columns[0]], "bytes"))
    return table


def _content(contents: "pa.ChunkedArray", row: int) -> BytesIO:
    return BytesIO(contents[row].as_py() or b"")


def _columns(file: Path, section: ParquetSection) -> tuple[str, str]:
    """Return the columns of images and labels."""
    schema = _schema(file)
    for key in ("image_column", "label_column"):
        if (name := getattr(section, key)) is not None and name not in schema.names:
            raise DataError(
                f"{file}: data.{key} must be one of its columns, {escaped(', '.join(schema.names))}, got {name!r}"
            )
    image = section.image_column or next((field.name for field in schema if _is_image(field)), None)
    label = section.label_column or next((name for name in USUAL_LABELS if name in schema.names), None)
    if image is None or not _is_image(schema.field(image)):
        raise DataError(
            f"{file}: must have a column of encoded images (bytes, or a struct with bytes; data.image_column), got "
            + escaped(", ".join(f"{field.name} {field.type}" for field in schema))
        )
    if label is None:
        raise DataError(
            f"{file}: data.label_column must name the column of labels, one of {escaped(', '.join(schema.names))}"
        )
    return image, label


def _schema(file: Path) -> "pa.Schema":
    import pyarrow.parquet as pq

    with open_data(file) as opened, _explained(file):
        return pq.read_schema(opened)


def _is_image(field: "pa.Field") -> bool:
    """Return whether a column may be of encoded images."""
    import pyarrow as pa

    if pa.types.is_struct(field.type):
        location = field.type.get_field_index("bytes")
        return location >= 0 and _is_bytes(field.type.field(location).type)
    return _is_bytes(field.type)


def _is_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Add the file's name to what pyarrow raises."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as parquet: {escaped(error)}") from error
