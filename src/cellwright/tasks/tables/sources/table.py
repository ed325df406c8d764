"""Tables in files: csv and parquet."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from cellwright.data import Examples, Reader, Source
from cellwright.data.duplicates import shared_groups
from cellwright.data.examples import Array
from cellwright.data.memory import MIB, require_memory
from cellwright.data.opening import not_utf8, open_data, require_suffix
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.location import Location
from cellwright.tasks.classified_data import are_classes
from cellwright.tasks.facts import CLASS_NAMES, LABEL_NAMES, LOG
from cellwright.tasks.folder_names import escaped, is_junk, part_of_split
from cellwright.tasks.label_sets import (
    Columns,
    LabelledData,
    are_label_sets,
    read_label_sets,
    require_one_target,
    target_columns,
)
from cellwright.tasks.tables.columns import (
    DELIMITERS,
    FEW_NUMBERS,
    FIRST_LEVEL,
    INPUT_NAMES,
    UNNAMED,
    Column,
    Kind,
    as_numbers,
    codes_of,
    dates_of,
    infer_kind,
    levels_of,
    numbers_of,
    require_column,
    require_readable,
)

COLUMNS, LEVELS, MISSING_TEXTS = "columns", "levels", "missing"
"""The facts of a source: its columns, for each category the texts that its codes stand for, and what is missing."""
SUFFIXES = (".csv", ".tsv", ".parquet")
BYTES_OF_CELL = 4
"""What a number takes at least, however small a parquet file compresses it."""
BYTES_OF_TEXT = 4
"""What a byte of a text takes, with what is made of it."""
RESERVED = {"logits", "values"}
"""What exports call their output."""
SPLITS = ("train", "validation", "test")
TARGETS_IN_WORDS = {"class": "a class", "number": "a number", "labels": "label sets"}
MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")
Delimiter = Annotated[
    str,
    BeforeValidator(lambda value: {"tab": "\t", "\\t": "\t"}.get(value, value)),
    Field(min_length=1, max_length=1),
]
"""What separates the values of a csv file, also as `tab`."""


class TableSection(LabelledData, StoredData):
    """A csv or parquet file, or a folder of them that have the same columns; a row is an example."""

    reader = "cellwright.tasks.tables.sources.table:TableReader"
    SUFFIXES = SUFFIXES
    task = "table-classification"
    FOLDERS: ClassVar[tuple[str, ...]] = ()

    source: Literal["table"]
    path: Location
    """The file, or a folder of files on this machine. A csv file begins with the names of its columns."""
    test_path: Location | None = None
    """The user's own test set, with the same columns."""
    target: str | Columns
    """The column to predict; for labels also columns of 0 and 1, of which each is a label."""
    types: dict[str, Literal["number", "category", "date", "ignore"]] = {}
    """The types of columns, where they are not to be inferred."""
    missing: tuple[str, ...] = MISSING
    """Texts of a csv file that stand for a missing value."""
    delimiter: Delimiter = ","
    """What separates the values of a csv file; in a .tsv file it is a tab."""
    group_by: str | None = None
    """A column, such as a customer: rows of one group are never in two splits. It is not read by networks."""
    time: str | None = None
    """A column of dates or numbers by which to split: the test split has the latest rows."""
    split: str | None = None
    """A column that says train, validation or test. It is not read by networks."""

    @model_validator(mode="after")
    def _target_is_apart(self) -> Self:
        others = {"group_by": self.group_by, "time": self.time, "split": self.split}
        require_one_target(self.target, self.predict)
        targets = target_columns(self.target)
        for key, name in others.items():
            if name in targets:
                raise ValueError(f"{key} must not be the target, {name!r}")
        for name in (*targets, self.group_by, self.split):
            if name in self.types:
                raise ValueError(f"types must be of columns that networks read, got {name!r}")
        return self


class TableReader(Reader):
    """Reads tables with pandas; nothing is unpickled."""

    section: TableSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Predict the last column of a table: label sets if it has some, a number if it has many, else a class."""
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            return None
        delimiter = delimiter_of(path)
        section = TableSection(source="table", path=path, target="", delimiter=delimiter)
        table = cls(section)._file(path)
        target = str(table.columns[-1])
        predict = suggest_target(table.iloc[:, -1], target)
        keys = {"path": path, "target": target, "predict": predict}
        if delimiter != ",":
            keys["delimiter"] = delimiter
        what = f"{len(table)} rows of {len(table.columns)} columns"
        return SpecSuggestion(
            keys=keys,
            remarks=(f"{what}; target is the last column, {TARGETS_IN_WORDS[predict]}",),
            num_examples=len(table),
            shape=(len(table.columns) - 1,),
            search=(
                "space:",
                "  kind: dense             # numbers, categories and dates, embedded",
                "budget:",
                "  evaluations: 20         # networks tried, with learning rate and weight decay",
            ),
        )

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the tables of a folder, without what is hidden or an operating system's."""
        return (
            path
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in SUFFIXES and not any(map(is_junk, path.relative_to(folder).parts))
        )

    def read(self, log: Callable[[str], None]) -> Source:
        """Read the table, infer the types of its columns, and make arrays of them."""
        section = self.section
        table, origin = self._table(Path(section.path)), str(section.path)
        test = self._table(Path(section.test_path)) if section.test_path else None
        self._check_names(table, origin)
        table = self._with_target(table, origin, log)
        columns = self._columns(table, log)
        levels = {c.name: levels_of(table[c.name]) for c in columns if c.kind == "category"}
        targets, facts = self._targets(table, origin)
        return Source(
            examples=Examples(
                origin=origin, inputs=inputs_of(table, columns, levels, origin), targets=targets
            ),
            test=None if test is None else self._test(test, table, columns, levels, facts, log),
            facts={COLUMNS: columns, LEVELS: levels, MISSING_TEXTS: section.missing, **facts},
            assigned=self._assigned(table, origin),
            groups=None
            if section.group_by is None
            else codes_of(table[g := section.group_by], levels_of(table[g])),
            times=None if section.time is None else moments(table[section.time], origin),
        )

    def _table(self, path: Path) -> Any:
        import pandas as pd

        if path.is_dir():
            files = list(self.files(path))
            if not files:
                raise DataError(f"{path}: must have at least one file of {', '.join(SUFFIXES)}, and has none")
            _require_one_split(path, files)
            _require_all_columns(path, files)
            parts = [self._file(file) for file in files]
            for part in parts[1:]:
                _require_columns(part, parts[0], f"{path}: every file", "the first")
            return pd.concat(parts, ignore_index=True)
        return self._file(path)

    def _file(self, path: Path) -> Any:
        return read_table(path, delimiter=self.section.delimiter, missing=self.section.missing)

    def _check_names(self, table: Any, origin: str) -> None:
        if reserved := set(table.columns) & RESERVED:
            raise DataError(f"{origin}: no column may be called {min(reserved)!r}, as the model's output is")
        section = self.section
        asked = {"group_by": section.group_by, "time": section.time, "split": section.split}
        targets = (("target", name) for name in target_columns(section.target))
        for key, name in (*targets, *asked.items(), *((f"types.{name}", name) for name in section.types)):
            if name is not None:
                require_column(table, name, f"data.{key}", origin)

    def _with_target(self, table: Any, origin: str, log: Callable[[str], None]) -> Any:
        if self.section.predict == "labels":
            return table
        known = table[self.section.target].notna()
        if not known.any():
            raise DataError(f"{origin}: column {self.section.target!r} must have values, and has none")
        if not known.all():
            log(f"{(~known).sum()} rows without a value of {self.section.target} are left out")
        return table[known].reset_index(drop=True)

    def _columns(self, table: Any, log: Callable[[str], None]) -> tuple[Column, ...]:
        section, columns = self.section, []
        for name in table.columns:
            if name in (*target_columns(section.target), section.group_by, section.split):
                continue
            given = section.types.get(name)
            if given is None:
                require_readable(table[name], str(section.path))
            kind, words = infer_kind(name, table[name]) if given is None else (given, f"{given}, as given")
            missing = table[name].isna().mean()
            log(f"column {name}: {words}" + (f", {missing:.1%} missing" if missing else ""))
            if kind is not None and kind != "ignore":
                columns.append(Column(name=name, kind=kind))
        if not columns:
            raise DataError(f"{section.path}: at least one column beside the target must vary")
        return tuple(columns)

    def _targets(self, table: Any, origin: str) -> tuple[Array, Mapping[str, Any]]:
        section = self.section
        if section.predict == "labels":
            labels, targets = read_label_sets(table, section.target, section.separator, origin)
            return targets, {LABEL_NAMES: labels}
        values = table[section.target]
        if section.predict == "number":
            return numbers_of(values, origin), {LOG: section.log}
        names = levels_of(values)
        if not are_classes(len(names), len(values)):
            raise DataError(
                f"{origin}: column {values.name!r} has {len(names)} different values in {len(values)} rows, too many "
                "for classes: set data.predict: number, or another data.target"
            )
        return codes_of(values, names) - FIRST_LEVEL, {CLASS_NAMES: tuple(names)}

    def _test(
        self,
        test: Any,
        table: Any,
        columns: tuple[Column, ...],
        levels: Mapping[str, list[str]],
        facts: Mapping[str, Any],
        log: Callable[[str], None],
    ) -> Examples:
        origin = str(self.section.test_path)
        _require_columns(test, table, f"{origin}: the test set", str(self.section.path))
        test = self._with_target(test, origin, log)
        if (by := self.section.group_by) is not None:
            shared_groups(table[by], test[by], log)
        section = self.section
        targets: Array
        if labels := facts.get(LABEL_NAMES):
            _, targets = read_label_sets(test, section.target, section.separator, origin, labels)
        elif names := facts.get(CLASS_NAMES):
            values = test[section.target]
            targets = codes_of(values, list(names)) - FIRST_LEVEL
            if (targets < 0).any():
                unseen = str(values[targets < 0].iloc[0])
                raise DataError(
                    f"{origin}: classes must be among {', '.join(names)}, as in {self.section.path}, got {unseen!r}"
                )
        else:
            targets = numbers_of(test[section.target], origin)
        for name, known in levels.items():
            if unknown := sorted(set(levels_of(test[name])) - set(known)):
                log(
                    f"column {name}: {len(unknown)} levels of the test set are unknown, such as {unknown[0]!r}"
                )
        return Examples(origin=origin, inputs=inputs_of(test, columns, levels, origin), targets=targets)

    def _assigned(self, table: Any, origin: str) -> Array | None:
        if self.section.split is None:
            return None
        values = table[self.section.split].astype(str)
        broken = ~values.isin(SPLITS)
        if broken.any():
            raise DataError(
                f"{origin}: column {self.section.split!r} must be one of {', '.join(SPLITS)}, "
                f"got {values[broken].iloc[0]!r}"
            )
        return np.asarray(values.to_numpy(str))


def suggest_target(values: Any, name: str) -> Literal["class", "number", "labels"]:
    """Return what a column most likely is as a target: a number if it has more different ones than classes have."""
    if are_label_sets(values):
        return "labels"
    kind, _ = infer_kind(name, values)
    return "number" if kind == "number" and values.nunique() > FEW_NUMBERS else "class"


def delimiter_of(path: Path) -> str:
    """Return the most frequent separator of the first line of a csv file."""
    if path.suffix.lower() != ".csv":
        return ","
    with open_data(path) as file:
        first = file.readline(MIB)
    return max(DELIMITERS, key=lambda one: first.count(one.encode()))


def _without_categories(column: Any) -> Any:
    """Return a column of pandas' own categories as what it holds."""
    return column.astype(object) if column.dtype == "category" else column


def read_table(path: Path, *, delimiter: str = ",", missing: Sequence[str]) -> Any:
    """Return the data frame of a csv, tsv or parquet file; values of a csv file are texts.

    Args:
        path: the file.
        delimiter: what separates values in a csv file.
        missing: texts that stand for a missing value.

    Raises:
        DataError: it cannot be read, does not fit into memory, or has no rows or no names of columns.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    def stripped(column: Any) -> Any:
        texts = column.astype(object).str.strip()
        return texts.where(~texts.isin(missing), None)

    suffix = path.suffix.lower()
    require_suffix(path, SUFFIXES)
    with open_data(path) as file:
        require_memory(str(path), 4 * path.stat().st_size)
        try:
            if suffix == ".parquet":
                parquet = pq.ParquetFile(file)
                rows = parquet.metadata
                require_memory(str(path), BYTES_OF_CELL * rows.num_rows * rows.num_columns)
                require_memory(str(path), BYTES_OF_TEXT * _text_bytes(file, parquet.schema_arrow))
                table = pd.read_parquet(file).apply(_without_categories)
                table.columns = list(map(str, table.columns))
            else:
                table = _with_names(
                    pd.read_csv(
                        file,
                        sep="\t" if suffix == ".tsv" else delimiter,
                        header=None,
                        dtype=str,
                        keep_default_na=False,
                        na_values=[],
                        skipinitialspace=True,
                        encoding="utf-8-sig",
                        index_col=False,
                    ),
                    path,
                ).apply(stripped)
        except pd.errors.EmptyDataError as error:
            raise DataError(f"{path}: is empty") from error
        except UnicodeDecodeError as error:
            raise not_utf8(path, error) from error
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).strip().replace("\n", " ").removeprefix("Error tokenizing data. C error: ")
            other = (
                ""
                if delimiter_of(path) in (",", delimiter)
                else f"; is it separated by {delimiter_of(path)!r}?"
            )
            raise DataError(f"{path}: cannot be read as a table: {reason}{other}") from error
    if table.empty:
        raise DataError(f"{path}: must have rows, and has none")
    names = list(table.columns)
    if repeated := {name for name in names if names.count(name) > 1}:
        raise DataError(
            f"{path}: must begin with the names of its columns, all different, but {min(repeated)!r} is there twice"
        )
    for name in names:
        nested = (value for value in table[name] if isinstance(value, list | dict | tuple | np.ndarray))
        if table[name].dtype == object and (one := next(nested, None)) is not None:
            raise DataError(f"{path}: column {name!r} must have one value in each row, got {one!r:.80}")
    return table


def _text_bytes(file: BinaryIO, schema: Any) -> int:
    """Return how many bytes the texts of a parquet file have in all rows, though it may store each only once."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    def is_text(kind: Any) -> bool:
        if pa.types.is_dictionary(kind):
            return is_text(kind.value_type)
        types = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
        return any(is_type(kind) for is_type in types)

    names = [field.name for field in schema if is_text(field.type)]
    table = pq.ParquetFile(file, read_dictionary=names).read(names)
    lengths = [
        pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py()
        for column in table.columns
        for chunk in column.chunks
    ]
    return sum(length or 0 for length in lengths)


def _with_names(lines: Any, path: Path) -> Any:
    """Return the lines of a csv file below the first one, which has the names of the columns."""
    names = [text.strip() or f"{UNNAMED}{index}" for index, text in enumerate(lines.iloc[0])]
    if as_numbers(lines.iloc[0]).notna().all():
        raise DataError(f"{path}: must begin with the names of its columns, and begins with {names[0]!r}")
    table = lines.iloc[1:].reset_index(drop=True)
    table.columns = names
    return table


def _require_all_columns(folder: Path, files: Sequence[Path]) -> None:
    """Refuse a folder whose tables are partitioned, as Hive and Spark write them: paths have values of columns."""
    for file in files:
        for part in file.relative_to(folder).parts[:-1]:
            if "=" in part:
                raise DataError(
                    f"{folder}: files must have all columns, but the folder {escaped(part)} has one in its name: "
                    "write the table without partitions"
                )


def _require_one_split(folder: Path, files: Sequence[Path]) -> None:
    """Raise DataError for a folder of tables of which some are for training and others for tests."""
    roles = {
        role: folder / file.relative_to(folder).parts[0]
        for file in reversed(files)
        if (role := part_of_split(Path(file.relative_to(folder).parts[0]).stem))
    }
    if "train" in roles and len(roles) > 1:
        raise DataError(
            f"{folder}: must have files of one table, but {' and '.join(roles)} are parts of a split: set data.path: "
            f"{roles['train']}" + (f" and data.test_path: {roles['test']}" if "test" in roles else "")
        )


def inputs_of(
    table: Any, columns: tuple[Column, ...], levels: Mapping[str, Sequence[str]], origin: str
) -> dict[str, Array]:
    """Return an array (N, columns) for each kind that there is; codes are those of the levels."""

    def values(column: Column) -> Array:
        match column.kind:
            case "number":
                return numbers_of(table[column.name], origin)
            case "date":
                return dates_of(table[column.name], origin)
            case "category":
                return codes_of(table[column.name], levels[column.name])

    kinds: tuple[Kind, ...] = ("number", "category", "date")
    parts = {kind: [values(column) for column in columns if column.kind == kind] for kind in kinds}
    return {INPUT_NAMES[kind]: np.stack(arrays, axis=1) for kind, arrays in parts.items() if arrays}


def moments(values: Any, origin: str) -> Array:
    """Return a column of times as numbers that are all there."""
    import pandas as pd

    if values.isna().any():
        raise DataError(f"{origin}: column {values.name!r} must have a value in every row, to sort by it")
    if not pd.api.types.is_datetime64_any_dtype(values) and (numbers := as_numbers(values)).notna().all():
        return np.asarray(numbers, np.float64)
    return dates_of(values, origin)


def _require_columns(table: Any, wanted: Any, what: str, origin: str) -> None:
    absent = sorted(set(map(str, wanted.columns)) - set(map(str, table.columns)))
    if absent:
        raise DataError(f"{what} must have the columns of {origin}, but {absent[0]!r} is not there")
