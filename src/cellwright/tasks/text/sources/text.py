"""Texts in files: csv, tsv, parquet and jsonl, and .txt files in a folder per class."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cellwright.data import Examples, Reader, Source
from cellwright.data.duplicates import shared_groups
from cellwright.data.memory import require_memory
from cellwright.data.opening import not_utf8, open_data, require_file, require_suffix
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import DataError
from cellwright.results import ModelInfo
from cellwright.spec.data import StoredData
from cellwright.spec.location import Location
from cellwright.tasks.class_folders import classified_files
from cellwright.tasks.classified_data import are_classes, class_indices
from cellwright.tasks.facts import CLASS_NAMES, LABEL_NAMES, LOG
from cellwright.tasks.folder_names import natural_order, normal
from cellwright.tasks.label_sets import (
    Columns,
    LabelledData,
    read_label_sets,
    require_one_target,
    target_columns,
)
from cellwright.tasks.tables.columns import numbers_of, require_column, text_of
from cellwright.tasks.tables.sources.table import (
    TARGETS_IN_WORDS,
    Delimiter,
    delimiter_of,
    read_table,
    suggest_target,
)

TEXT = "text"
"""The network's input."""
COLUMN = "column"
"""The fact of a source that says what texts are called in files."""
TABLES = (".csv", ".tsv", ".parquet", ".jsonl")


class TextSection(LabelledData, StoredData):
    """Texts with a class, a number or labels each: csv, tsv, parquet or jsonl, or a folder of .txt files per class."""

    reader = "cellwright.tasks.text.sources.text:TextReader"
    SUFFIXES = (".jsonl",)
    task = "text-classification"

    source: Literal["text"]
    path: Location
    """The file, or a folder on this machine whose folders are the classes, of .txt files in UTF-8."""
    test_path: Location | None = None
    """The user's own test set, in the same form."""
    text: str = "text"
    """The column of a table, or the key of a line of .jsonl, with the texts."""
    target: str | Columns = "label"
    """The column or key with the targets; for labels also columns of 0 and 1, of which each is a label."""
    group_by: str | None = None
    """A column or key, such as an author: texts of one group are never in two splits."""
    delimiter: Delimiter = ","
    """What separates the values of a csv file."""
    max_bytes: int = Field(default=2048, ge=8, le=65536)
    """Of a longer text only the first bytes are read, in UTF-8."""

    @model_validator(mode="after")
    def _several_columns_are_labels(self) -> Self:
        require_one_target(self.target, self.predict)
        return self


class TextReader(Reader):
    """Reads texts; nothing is unpickled."""

    section: TextSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Take the key of a .jsonl file with the most text for the texts, and the last of the others for the target."""
        if path.suffix.lower() != ".jsonl" or not path.is_file():
            return None
        table = _read_jsonl(path)
        if len(table.columns) < 2:
            raise DataError(
                f"{path}: lines must have a text and a target, got only {', '.join(table.columns)}"
            )
        texts = [
            name for name in table.columns if not table[name].map(lambda value: isinstance(value, list)).any()
        ]
        text = max(texts or table.columns, key=lambda name: table[name].astype(str).str.len().sum())
        target = [name for name in table.columns if name != text][-1]
        predict = suggest_target(table[target], target)
        return SpecSuggestion(
            keys={"path": path, "text": text, "target": target, "predict": predict},
            remarks=(f"{len(table)} texts; the target is {target}, {TARGETS_IN_WORDS[predict]}",),
            num_examples=len(table),
            shape=(1,),
            search=(
                "space:",
                "  kind: tokens            # layers on words in a row, beside a bag of words",
                "budget:",
                "  evaluations: 8          # networks tried",
            ),
        )

    def read(self, log: Callable[[str], None]) -> Source:
        """Read all texts as bytes of one length, with their targets."""
        section = self.section
        path, test_path = Path(section.path), section.test_path and Path(section.test_path)
        table, test = self._table(path, log), self._table(test_path, log) if test_path else None
        longest = max(
            len(text.encode()) for part in (table, test) if part is not None for text in part[section.text]
        )
        if not longest:
            raise DataError(f"{path}: there must be a text that is not empty")
        if longest > section.max_bytes:
            log(
                f"the longest text has {longest} bytes; of each the first {section.max_bytes} are read (data.max_bytes)"
            )
        length = min(longest, section.max_bytes)
        facts: dict[str, Any] = {COLUMN: section.text}
        match section.predict:
            case "class":
                facts[CLASS_NAMES] = self._class_names(table[section.target], str(path))
            case "number":
                facts[LOG] = section.log
            case "labels":
                facts[LABEL_NAMES], _ = read_label_sets(table, section.target, section.separator, str(path))
        groups = None if section.group_by is None else table[section.group_by].astype(str).to_numpy(str)
        if test is not None and section.group_by is not None:
            shared_groups(table[section.group_by].astype(str), test[section.group_by].astype(str), log)
        return Source(
            examples=self._examples(table, path, length, facts),
            test=self._examples(test, test_path, length, facts) if test_path else None,
            facts=facts,
            groups=groups,
        )

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the texts of all classes."""
        return (file for _, file in classified_files(folder, (".txt",), lambda fact: None))

    def check(self, key: str, path: Path) -> None:
        """Require a file of a known kind, or a folder per class."""
        if not path.is_dir():
            require_file(path)
            _require_kind(path)
        else:
            self._require_classes()
            next(iter(self.files(path)))

    def _require_classes(self) -> None:
        section = self.section
        if section.predict != "class" or section.group_by is not None:
            raise DataError(
                f"{section.path}: data.predict: {section.predict} and data.group_by are for files, not for a folder"
            )

    def _table(self, path: Path, log: Callable[[str], None]) -> Any:
        """Return a data frame with the texts, the targets that are known, and the groups."""
        import pandas as pd

        section = self.section
        if path.is_dir():
            self._require_classes()
            rows = [(read_file(file), name) for name, file in classified_files(path, (".txt",), log)]
            return pd.DataFrame(rows, columns=[section.text, *target_columns(section.target)])
        table = _read(path, section.delimiter)
        targets = target_columns(section.target)
        asked = [
            ("text", section.text),
            *(("target", name) for name in targets),
            ("group_by", section.group_by),
        ]
        for key, name in asked:
            if name is not None:
                require_column(table, name, f"data.{key}", str(path))
        texts = _texts(table[section.text], path)
        if section.text in targets:
            raise DataError(f"{path}: data.text and data.target must differ, got {section.text!r}")
        if section.predict == "labels":
            return table.assign(**{section.text: texts})
        known = table[section.target].notna()
        if not known.any():
            raise DataError(f"{path}: {section.target!r} must have values, and has none")
        if not known.all():
            log(f"{(~known).sum()} texts without {section.target} are left out")
        if empty := int((texts[known].str.strip() == "").sum()):
            log(f"{empty} texts are empty")
        return table.assign(**{section.text: texts})[known].reset_index(drop=True)

    def _class_names(self, targets: Any, origin: str) -> tuple[str, ...]:
        names = natural_order({_label(target, origin) for target in targets})
        if not are_classes(len(names), len(targets)):
            raise DataError(
                f"{origin}: {len(names)} different values of {self.section.target!r} in {len(targets)} texts are too "
                "many for classes: set data.predict: number, or another data.target"
            )
        return tuple(names)

    def _examples(self, table: Any, path: Path, length: int, facts: Mapping[str, Any]) -> Examples:
        require_memory(str(path), len(table) * length)
        texts = as_bytes(table[self.section.text], length)
        return Examples(
            origin=str(path), inputs={TEXT: texts}, targets=self._targets(table, str(path), facts)
        )

    def _targets(self, table: Any, origin: str, facts: Mapping[str, Any]) -> NDArray[Any]:
        section = self.section
        match section.predict:
            case "class":
                labels = [_label(value, origin) for value in table[section.target]]
                return class_indices(labels, facts[CLASS_NAMES], origin)
            case "number":
                return numbers_of(table[section.target], origin)
            case "labels":
                names = facts[LABEL_NAMES]
                return read_label_sets(table, section.target, section.separator, origin, names)[1]


def as_bytes(texts: Sequence[str], length: int) -> NDArray[np.uint8]:
    """Return texts as UTF-8 (N, length), 0 after the end; of a longer one the characters that fit in."""
    rows = np.zeros((len(texts), length), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        content = text.encode()[:length].decode(errors="ignore").encode()
        row[: len(content)] = np.frombuffer(content, np.uint8)
    return rows


def decoder(model: ModelInfo) -> Callable[[bytes], NDArray[np.uint8]]:
    """Return what reads a text, as an example of a model, from the content of a file in UTF-8."""
    [length] = model.inputs[0].shape

    def decode(content: bytes) -> NDArray[np.uint8]:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"must be UTF-8: {error.reason} at byte {error.start}") from error
        return as_bytes([text], length).reshape(length)

    return decode


def as_texts(rows: NDArray[np.uint8]) -> list[str]:
    """Return the texts that bytes are."""
    return [row.tobytes().rstrip(b"\0").decode() for row in rows]


def read_texts(file: Path, column: str) -> list[str]:
    """Return the texts of a table or .jsonl file; raises DataError."""
    table = _read(file, delimiter_of(file))
    require_column(table, column, "the column of texts", str(file))
    return list(_texts(table[column], file))


def read_file(file: Path) -> str:
    """Return what a file in UTF-8 holds; raises DataError."""
    with open_data(file) as opened:
        require_memory(str(file), 4 * file.stat().st_size)
        try:
            return opened.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise not_utf8(file, error) from error


def _require_kind(path: Path) -> None:
    require_suffix(path, TABLES, ", or a folder with a folder of .txt files per class")


def _read(path: Path, delimiter: str) -> Any:
    _require_kind(path)
    if path.suffix.lower() == ".jsonl":
        return _read_jsonl(path)
    return read_table(path, delimiter=delimiter, missing=("",))


def _read_jsonl(path: Path) -> Any:
    import pandas as pd

    rows = []
    for number, line in enumerate(read_file(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number}: must be JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f'{path}: line {number}: must be an object such as {{"text": …}}, got {line:.40}')
        rows.append(row)
    if not rows:
        raise DataError(f"{path}: must have rows, and has none")
    return pd.DataFrame(rows, dtype=object)


def _texts(values: Any, path: Path) -> Any:
    """Return the texts; one that is missing is empty."""
    texts = values.astype(object).where(values.notna(), "")
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise DataError(f"{path}: {values.name!r} must be text, got {text!r:.80} in row {number}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{path}: {values.name!r} must be valid Unicode in row {number}: {error}"
            ) from error
    return texts


def _label(target: Any, origin: str) -> str:
    if isinstance(target, list | dict):
        raise DataError(f"{origin}: a target must be one text or number, got {target!r:.80}")
    return normal(text_of(target).strip())
