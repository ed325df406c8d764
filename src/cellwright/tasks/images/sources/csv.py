"""A table of image files and their labels."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from os.path import isfile  # unlike pathlib's, for texts of any length
from pathlib import Path, PureWindowsPath
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cellwright.data import Examples
from cellwright.data.opening import require_file
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import DataError
from cellwright.spec.location import Location
from cellwright.tasks.broken_files import refuse
from cellwright.tasks.facts import LABEL_NAMES, LOG
from cellwright.tasks.folder_names import escaped, natural_order, normal
from cellwright.tasks.images.sources.folder import EncodedImages, ImageFilesReader, ImageFilesSection
from cellwright.tasks.label_sets import LabelledData, as_label_sets, label_names, split_labels
from cellwright.tasks.labels import USUAL_LABELS


class CsvSection(ImageFilesSection, LabelledData):
    """A table of image files and a class, a number or labels for each: csv or tsv, first a line of column names."""

    LOCATIONS = (*ImageFilesSection.LOCATIONS, "folder")
    FOLDERS = ("folder",)
    reader = "cellwright.tasks.images.sources.csv:CsvReader"
    SUFFIXES = (".csv", ".tsv")
    task = "images"

    source: Literal["csv"]
    path: Location
    """The table."""
    folder: Location | None = None
    """The folder that all tables' file names are relative to. By default, each table's own folder, or the only
    subfolder beside the table that has its first file."""
    file_column: str | None = None
    """The column with file names; by default, the first one with a name."""
    label_column: str | None = None
    """The column with classes, numbers or labels; by default, the only other one, or the one with a usual name, such
    as `label`."""
    suffix: str = ""
    """Suffix to append to file names, such as `.jpg`."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Separator of values in a csv file; tsv files use a tab."""

    @model_validator(mode="after")
    def _tables_elsewhere_need_a_folder(self) -> Self:
        tables = (self.path, self.validation_path, self.test_path)
        if self.folder is None and any(isinstance(table, str) for table in tables):
            raise ValueError("folder must be given where a table is in S3")
        return self


class CsvReader(ImageFilesReader):
    """Decodes the images in tables."""

    section: CsvSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Accept a table if its first column names an existing file."""
        if path.suffix.lower() not in CsvSection.SUFFIXES or not path.is_file():
            return None
        section = CsvSection(source="csv", path=path)
        try:
            _, (first, _) = next(_rows(path, section), (0, ("", "")))
        except DataError:  # not a table of images; the reader of tables reports the reason
            return None
        if not isfile(_folder_of(path, first, section) / first):
            return None
        return cls(section).suggestion({"path": path})

    def classes(self, location: Path, log: Callable[[str], None]) -> tuple[Path, dict[str, list[Path]]]:
        """Return the files of each label, and the folder that file names are relative to."""
        rows = list(_rows(location, self.section))
        if not rows:
            raise DataError(f"{location}: must have rows below the names of its columns, and has none")
        folder = _folder_of(location, rows[0][1][0], self.section)
        if self.section.folder is None and folder != location.parent:
            log(f"{location}: files are in {folder} (data.folder)")
        files: dict[str, list[Path]] = {}
        predict = self.section.predict
        listed: set[str] = set()
        problems: list[str] = []
        absent: list[str] = []
        for line, (file, label) in rows:
            name = os.path.normpath(os.path.relpath(file, folder) if os.path.isabs(file) else file)
            if not file or not (label or predict == "labels"):
                problems.append(f"line {line} has no {'label' if file else 'file'}")
            elif predict == "number" and not _is_number(label):
                problems.append(f"line {line}: {escaped(label)} is no finite number such as 1.5")
            elif name.split(os.sep)[0] == os.pardir:
                problems.append(f"line {line}: {escaped(file)} is not below {folder}")
            elif name in listed:
                problems.append(f"line {line}: {escaped(file)} is listed a second time")
            elif not isfile(folder / name):
                absent.append(escaped(name))
            listed.add(name)
            files.setdefault(normal(label), []).append(folder / name)
        refuse(f"{location}: {len(problems)} of {len(rows)} rows cannot be used", problems)
        is_other = len(absent) == len(rows)
        refuse(
            f"{folder}: {len(absent)} of the {len(rows)} files that {location.name} lists are not there",
            absent,
            remedy="; set data.folder, or data.suffix where the table leaves out the end of names"
            + ("; a table whose rows are the examples is data.source: table" if is_other else ""),
        )
        return folder, {label: files[label] for label in natural_order(files)}

    def check_targets(self, own: EncodedImages, other: EncodedImages) -> None:
        """Raise DataError where the classes of another set are not those of the training set."""
        if self.section.predict == "class":
            super().check_targets(own, other)

    def with_targets(self, examples: Examples, encoded: EncodedImages, facts: dict[str, Any]) -> Examples:
        """Return the examples with classes, or with the numbers or labels that the texts of classes stand for."""
        section, texts = self.section, list(encoded.classes)
        match section.predict:
            case "class":
                return super().with_targets(examples, encoded, facts)
            case "number":
                facts[LOG] = section.log
                return replace(examples, targets=np.array(texts, np.float32)[examples.targets])
            case "labels":
                sets = [split_labels(text, section.separator, encoded.origin) for text in texts]
                of_examples = [sets[index] for index in examples.targets.tolist()]
                if LABEL_NAMES not in facts:
                    facts[LABEL_NAMES] = label_names(of_examples, section.separator, encoded.origin)
                targets = as_label_sets(of_examples, facts[LABEL_NAMES], encoded.origin)
                return replace(examples, targets=targets)

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the files of a folder that the tables list; all files if a table is remote."""
        tables = [location for key, location in self.section.locations.items() if key != "folder"]
        if any(isinstance(table, str) for table in tables):
            return super().files(folder)
        return sorted({file for table in tables for file in self._listed(Path(table))})

    def names(self, origin: str, names: Iterable[str]) -> list[str]:
        """Return all file names, since the tables are not yet read."""
        return [name for name in names if not name.endswith("/")]

    def _digests(self, path: Path) -> dict[str, str]:
        """Return the digests of a file or a folder's files; for a table, also those of the listed files beside it."""
        digests = super()._digests(path)
        if path.is_file() and self.section.folder is None:
            for file in self._listed(path):
                digests[str(file.relative_to(path.parent))] = super()._digests(file)[""]
        return digests

    def _listed(self, table: Path) -> Iterator[Path]:
        return (file for files in self.classes(table, lambda fact: None)[1].values() for file in files)

    def check(self, key: str, path: Path) -> None:
        """Check that all files of a table exist, if they are local."""
        super().check(key, path)
        if key != "folder" and not isinstance(self.section.folder, str):
            self.classes(path, lambda fact: None)


def _is_number(text: str) -> bool:
    """Return whether a text is a number that is finite in float32."""
    try:
        return abs(float(text)) <= float(np.finfo(np.float32).max)
    except ValueError:
        return False


def _folder_of(table: Path, first: str, section: CsvSection) -> Path:
    """Return the folder that file names are relative to."""
    if section.folder or isfile(table.parent / first):
        return Path(section.folder or table.parent)
    having = [folder for folder in table.parent.iterdir() if isfile(folder / first)]
    return having[0] if len(having) == 1 else table.parent


def _rows(table: Path, section: CsvSection) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield file and label of each row, with its line number from 1."""
    require_file(table)
    delimiter = "\t" if table.suffix.lower() == ".tsv" else section.delimiter
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, delimiter=delimiter)
            names = [name.strip() for name in next(rows, [])]
            file_column, label_column = _columns(table, names, section)
            for row in rows:
                if any(row):
                    values = [*map(str.strip, row), *[""] * (len(names) - len(row))]
                    file = values[file_column]
                    if "\\" in file and not isfile(table.parent / file):
                        file = PureWindowsPath(file).as_posix()
                    yield rows.line_num, (file and file + section.suffix, values[label_column])
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as a table: {error}") from error


def _columns(table: Path, names: list[str], section: CsvSection) -> tuple[int, int]:
    """Return the indices of the columns with files and labels."""
    for key in ("file_column", "label_column"):
        if (name := getattr(section, key)) is not None and name not in names:
            raise DataError(
                f"{table}: data.{key} must be one of its columns, {', '.join(names)}, got {name!r}"
            )
    if len(names) < 2:
        raise DataError(
            f"{table}: must begin with the names of columns, of which one has files and one labels, separated by "
            f"{section.delimiter!r} (data.delimiter), got {escaped(' '.join(names))!r}"
        )
    first = names[0] + section.suffix
    if names[0] and section.file_column is None and isfile(_folder_of(table, first, section) / first):
        raise DataError(f"{table}: must begin with the names of its columns, and begins with {names[0]!r}")
    named = [name for name in names if name]  # pandas writes its index as a column without a name
    file_column = section.file_column or named[0]
    others = [name for name in named if name != file_column]
    usual = [name for name in others if name.lower() in USUAL_LABELS]
    label = section.label_column or next(iter(usual if len(others) > 1 else others), None)
    if label is None:
        raise DataError(
            f"{table}: data.label_column must name the column of labels, one of {escaped(', '.join(others))}"
        )
    return names.index(file_column), names.index(label)
