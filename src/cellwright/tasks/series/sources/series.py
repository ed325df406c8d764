"""Time series in files: .ts, .npz, and long .csv."""

import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.data import Examples, Reader, Source
from cellwright.data.memory import require_memory
from cellwright.data.opening import open_file
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.place import Place
from cellwright.tasks.classified_data import ClassOrNumberData, are_classes, class_indices
from cellwright.tasks.facts import CLASS_NAMES, LOG

SERIES = "series"
Floats = NDArray[np.float32]
SHORTEST = 4


class SeriesSection(StoredData, ClassOrNumberData):
    """A file of time series: .ts as the UCR and UEA archives have it, .npz, or .csv with a row for each time."""

    reader = "cellwright.tasks.series.sources.series:SeriesReader"
    SUFFIXES = (".ts",)
    task = "series-classification"

    source: Literal["series"]
    path: Place
    """The file."""
    test_path: Place | None = None
    """The user's own test set, in the same form."""
    values_key: str = "x"
    """The array of a .npz file with the series, (N, L) or (N, channels, L); NaN where a value is missing."""
    target_key: str = "y"
    """The array of a .npz file, or the column of a .csv file, with the targets."""
    id_key: str = "series"
    """The column of a .csv file that says which rows make a series, in the order of the rows."""
    group_key: str | None = None
    """An array of a .npz file, or a column of a .csv file: series of one group are never in two splits."""


@dataclass(frozen=True)
class _Read:
    series: Sequence[Floats]
    """Each (channels, length)."""
    targets: NDArray[Any]
    """As texts."""
    groups: NDArray[Any] | None = None


class SeriesReader(Reader):
    """Reads series; nothing in an archive is unpickled."""

    section: SeriesSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Take a .ts file, and NAME_TEST.ts beside NAME_TRAIN.ts as its test set."""
        if path.suffix.lower() != ".ts" or not path.is_file():
            return None
        read = _read_ts(path)
        if not read.series:
            raise DataError(f"{path}: must have series, and has none")
        keys: dict[str, Any] = {"path": path}
        test = path.with_name(path.name.replace("_TRAIN", "_TEST"))
        if test != path and test.is_file():
            keys["test_path"] = test
        num_targets = len(set(read.targets.tolist()))
        predicts_number = num_targets > len(read.targets) // 3 and np.inf not in {
            _natural(t)[0] for t in read.targets
        }
        if predicts_number:
            keys["predict"] = "number"
        channels, longest = read.series[0].shape[0], max(one.shape[1] for one in read.series)
        what = "a number" if predicts_number else f"one of {num_targets} classes"
        return SpecSuggestion(
            keys=keys,
            remarks=(f"{len(read.series)} series of {channels} × {longest} values; target is {what}",),
            num_examples=len(read.series),
            shape=(channels, longest),
            search=(
                "space:",
                "  kind: kernels           # convolutions of several lengths and dilations",
                "budget:",
                "  evaluations: 12         # networks tried",
            ),
        )

    def read(self, log: Callable[[str], None]) -> Source:
        """Read all series, and pad them to one length with NaN."""
        section = self.section
        path, test_path = Path(section.path), section.test_path
        read = self._file(path)
        test = self._file(Path(test_path)) if test_path else None
        lengths = [one.shape[1] for part in (read, test) if part for one in part.series]
        longest = max(lengths)
        if longest < SHORTEST:
            raise DataError(f"{path}: series must have at least {SHORTEST} times, got {longest}")
        if longest != min(lengths):
            log(f"series have {min(lengths)} to {longest} times; shorter ones are padded at their end")
        channels = read.series[0].shape[0]
        facts: dict[str, Any] = {LOG: section.log}
        if section.predict == "class":
            facts = {CLASS_NAMES: _class_names(read.targets, str(path))}
        examples = self._examples(read, path, channels, longest, facts)
        missing = float(np.isnan(examples.inputs[SERIES]).mean())
        if missing:
            log(f"{missing:.1%} of the values are missing or padding")
        return Source(
            examples=examples,
            test=None
            if test is None
            else self._examples(test, Path(str(test_path)), channels, longest, facts),
            facts=facts,
            groups=read.groups,
        )

    def _examples(
        self, read: _Read, path: Path, channels: int, longest: int, facts: dict[str, Any]
    ) -> Examples:
        require_memory(str(path), 4 * len(read.series) * channels * longest)
        values = np.full((len(read.series), channels, longest), np.nan, np.float32)
        for number, one in enumerate(read.series):
            if one.shape[0] != channels:
                raise DataError(
                    f"{path}: every series must have {channels} channels, but number {number + 1} has {one.shape[0]}"
                )
            values[number, :, : one.shape[1]] = one
        targets = (
            _numbers(read.targets, path)
            if self.section.predict == "number"
            else class_indices(read.targets.tolist(), facts[CLASS_NAMES], str(path))
        )
        return Examples(origin=str(path), inputs={SERIES: values}, targets=targets)

    def _file(self, path: Path) -> _Read:
        readers = {".ts": _read_ts, ".npz": self._read_npz, ".csv": self._read_csv}
        if path.suffix.lower() not in readers:
            raise DataError(f"{path}: must be one of {', '.join(readers)}")
        with open_file(path):
            read = readers[path.suffix.lower()](path)
        if not read.series:
            raise DataError(f"{path}: must have series, and has none")
        return read

    def _read_npz(self, path: Path) -> _Read:
        section = self.section
        keys = [section.values_key, section.target_key, *([section.group_key] if section.group_key else [])]
        try:
            with np.load(path, allow_pickle=False) as archive:
                for key in keys:
                    if key not in archive.files:
                        raise DataError(f"{path}: must have an array {key!r}, got {', '.join(archive.files)}")
                values, targets, *groups = (np.asarray(archive[key]) for key in keys)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
            raise DataError(f"{path}: cannot be read as a .npz archive: {error}") from error
        if values.ndim == 2:
            values = values[:, np.newaxis]
        if values.ndim != 3 or not np.issubdtype(values.dtype, np.number):
            raise DataError(
                f"{path}: {section.values_key!r} must be numbers (N, L) or (N, channels, L), got {values.dtype} "
                f"{values.shape}"
            )
        if targets.shape != (len(values),):
            raise DataError(
                f"{path}: {section.target_key!r} must have a target for each of {len(values)} series, "
                f"got {targets.shape}"
            )
        if np.isinf(values).any():
            raise DataError(f"{path}: {section.values_key!r} must be finite, or NaN where missing")
        return _Read(list(values.astype(np.float32)), targets.astype(str), groups[0] if groups else None)

    def _read_csv(self, path: Path) -> _Read:
        import pandas as pd

        section = self.section
        try:
            table = pd.read_csv(path, dtype={section.id_key: str, section.target_key: str})
        except (OSError, ValueError) as error:
            reason = str(error).strip().replace("\n", " ")
            raise DataError(f"{path}: cannot be read as a table: {reason}") from error
        keys = {"id_key": section.id_key, "target_key": section.target_key}
        if section.group_key:
            keys["group_key"] = section.group_key
        for key, name in keys.items():
            if name not in table.columns:
                raise DataError(
                    f"{path}: data.{key} must be one of its columns, {', '.join(map(str, table.columns))}, got {name!r}"
                )
        names = [name for name in table.columns if name not in keys.values()]
        for name in names:
            if not pd.api.types.is_numeric_dtype(table[name]):
                raise DataError(f"{path}: column {name!r} must be numbers")
        if not names:
            raise DataError(f"{path}: must have a column of values beside {', '.join(keys.values())}")
        series, targets, groups = [], [], []
        for name, rows in table.groupby(section.id_key, sort=False):
            if rows[section.target_key].nunique(dropna=False) != 1:
                raise DataError(f"{path}: all rows of series {name!r} must have one {section.target_key}")
            series.append(rows[names].to_numpy(np.float32).T)
            targets.append(str(rows[section.target_key].iloc[0]))
            groups.append(str(rows[section.group_key].iloc[0]) if section.group_key else "")
        return _Read(series, np.array(targets, str), np.array(groups) if section.group_key else None)


def _read_ts(path: Path) -> _Read:
    """Read the format of the UCR and UEA archives: channels between colons, the target last."""
    series, targets, in_data = [], [], False
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be text, UTF-8: {error}") from error
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith(("#", "%")):
            continue
        if line.startswith("@"):
            in_data = in_data or line.lower() == "@data"
            if line.lower().split() == ["@timestamps", "true"]:
                raise DataError(
                    f"{path}: line {number}: series with time stamps cannot be read: @timeStamps true"
                )
            continue
        if not in_data:
            raise DataError(f"{path}: line {number}: there must be a line @data before the series")
        *channels, target = line.split(":")
        if not channels:
            raise DataError(f"{path}: line {number}: must have a target after a colon")
        series.append(_channels(channels, f"{path}: line {number}"))
        targets.append(target.strip())
    return _Read(series, np.array(targets, str))


def _channels(texts: Sequence[str], where: str) -> Floats:
    try:
        rows = [[np.nan if t.strip() == "?" else float(t) for t in text.split(",")] for text in texts]
    except ValueError as error:
        raise DataError(f"{where}: values must be numbers, or ? where missing: {error}") from error
    longest = max(map(len, rows))
    values = np.array([row + [np.nan] * (longest - len(row)) for row in rows], np.float32)
    if np.isinf(values).any():
        raise DataError(f"{where}: values must be finite")
    return values


def _class_names(targets: NDArray[Any], origin: str) -> tuple[str, ...]:
    names = sorted(set(targets.tolist()), key=_natural)
    if not are_classes(len(names), len(targets)):
        raise DataError(
            f"{origin}: {len(names)} different targets of {len(targets)} series are too many for classes: set "
            "data.predict: number"
        )
    return tuple(names)


def _natural(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return np.inf, name


def _numbers(targets: NDArray[Any], path: Path) -> NDArray[np.float32]:
    try:
        return targets.astype(np.float64).astype(np.float32)
    except ValueError as error:
        raise DataError(f"{path}: targets must be numbers: {error}") from error
