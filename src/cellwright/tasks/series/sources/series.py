"""Time series in files: .ts, .npz, long .csv, and UCR's .tsv and .txt."""

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.data import Examples, Reader, Source
from cellwright.data.duplicates import shared_groups
from cellwright.data.memory import require_memory
from cellwright.data.opening import not_utf8, open_data, require_suffix
from cellwright.data.reading import SpecSuggestion
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.location import Location
from cellwright.tasks.classified_data import ClassOrNumberData, are_classes, class_indices
from cellwright.tasks.facts import CLASS_NAMES, LOG
from cellwright.tasks.folder_names import natural_order
from cellwright.tasks.labels import read_labels
from cellwright.tasks.tables.columns import numbers_of, require_column, text_of
from cellwright.tasks.tables.sources.table import MISSING, Delimiter, moments, read_table

SERIES = "series"
Floats = NDArray[np.float32]
SHORTEST = 4
USUAL_KEYS = (("x", "y"), ("X", "y"), ("x_train", "y_train"), ("X_train", "y_train"), ("data", "target"))
"""Common names of series and targets in archives, the defaults first."""


class SeriesSection(StoredData, ClassOrNumberData):
    """A file of time series: as the UCR and UEA archives have it, .npz, or .csv with a row for each time."""

    reader = "cellwright.tasks.series.sources.series:SeriesReader"
    SUFFIXES = (".ts",)
    task = "series-classification"

    source: Literal["series"]
    path: Location
    """The file."""
    test_path: Location | None = None
    """The user's own test set, in the same form."""
    values_key: str = "x"
    """The array of a .npz file with the series, (N, L) or (N, channels, L); NaN where a value is missing."""
    layout: Literal["NCL", "NLC"] | None = None
    """Order of the axes in a .npz file: N series, C channels, L times. By default NCL, with at most L channels."""
    target_key: str = "y"
    """The array of a .npz file, or the column of a .csv file, with the targets."""
    id_key: str = "series"
    """The column of a .csv file that says which rows make a series, in the order of the rows."""
    time_key: str | None = None
    """A column of a .csv file, dates or numbers, to sort the rows of each series by. It is not read by networks."""
    delimiter: Delimiter = ","
    """What separates the values of a .csv file."""
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
        predicts_number = num_targets > len(read.targets) // 3 and all(map(_is_number, read.targets))
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
        read = self._file(path, log)
        test = self._file(Path(test_path), log) if test_path else None
        if test and read.groups is not None and test.groups is not None:
            shared_groups(read.groups.tolist(), test.groups.tolist(), log)
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
        if missing == 1:
            raise DataError(f"{path}: series must have values, and have none")
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

    def _file(self, path: Path, log: Callable[[str], None]) -> _Read:
        """Return the series of a file that have a target."""
        with_keys = {".npz": self._read_npz, ".csv": self._read_csv}
        require_suffix(path, (*SELF_DESCRIBING, *with_keys))
        with open_data(path, may_be_zip=path.suffix.lower() == ".npz"):
            suffix = path.suffix.lower()
            read = (
                SELF_DESCRIBING[suffix](path) if suffix in SELF_DESCRIBING else with_keys[suffix](path, log)
            )
        if not read.series:
            raise DataError(f"{path}: must have series, and has none")
        known = ~np.isin(read.targets, MISSING)
        if not known.any():
            raise DataError(f"{path}: series must have targets, and have none")
        if known.all():
            return read
        log(f"{path}: {(~known).sum()} series without a target are left out")
        return _Read(
            series=[one for one, is_known in zip(read.series, known, strict=True) if is_known],
            targets=read.targets[known],
            groups=None if read.groups is None else read.groups[known],
        )

    def _read_npz(self, path: Path, log: Callable[[str], None]) -> _Read:
        section = self.section
        try:
            with np.load(path, allow_pickle=False) as archive:
                pair = section.values_key, section.target_key
                if pair == USUAL_KEYS[0]:
                    pair = next((usual for usual in USUAL_KEYS if set(usual) <= set(archive.files)), pair)
                    if pair != USUAL_KEYS[0]:
                        log(
                            f"{path}: series are {pair[0]} and targets {pair[1]} (data.values_key, data.target_key)"
                        )
                keys = [*pair, *([section.group_key] if section.group_key else [])]
                for key in keys:
                    if key not in archive.files:
                        raise DataError(f"{path}: must have an array {key!r}, got {', '.join(archive.files)}")
                values, targets, *groups = (np.asarray(archive[key]) for key in keys)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
            raise DataError(f"{path}: cannot be read as a .npz archive: {error}") from error
        if values.ndim == 2:
            values = values[:, np.newaxis]
        if values.ndim != 3 or values.dtype.kind not in "iuf":
            raise DataError(
                f"{path}: {pair[0]!r} must be numbers (N, L) or (N, channels, L), got {values.dtype} "
                f"{values.shape}"
            )
        values = self._in_order(values, path)
        if groups and groups[0].shape != (len(values),):
            raise DataError(
                f"{path}: {section.group_key!r} must have a group for each of {len(values)} series, "
                f"got {groups[0].shape}"
            )
        with np.errstate(over="ignore"):
            series = values.astype(np.float32)
        if np.isinf(series).any():
            raise DataError(f"{path}: {pair[0]!r} must be finite in float32, or NaN where missing")
        labels = self._labels(targets, len(series), f"{path}: {pair[1]!r}", log)
        return _Read(list(series), labels, groups[0] if groups else None)

    def _in_order(self, values: NDArray[Any], path: Path) -> NDArray[Any]:
        """Return the array as (N, channels, L)."""
        layout, (_, channels, times) = self.section.layout, values.shape
        if layout is None and channels > times:
            raise DataError(
                f"{path}: {self.section.values_key!r} of the shape {values.shape} would be {channels} channels of "
                f"{times} times: set data.layout to NLC for {times} channels of {channels} times, or to NCL"
            )
        return values.transpose(0, 2, 1) if layout == "NLC" else values

    def _labels(
        self, targets: NDArray[Any], num_series: int, origin: str, log: Callable[[str], None]
    ) -> NDArray[Any]:
        if self.section.predict == "class":
            return read_labels(targets, num_series, origin, log).astype(str)
        if targets.shape not in ((num_series,), (num_series, 1)):
            raise DataError(
                f"{origin} must have a target for each of {num_series} series, got {targets.shape}"
            )
        if not np.isfinite(targets.astype(np.float64) if targets.dtype.kind in "iufb" else np.nan).all():
            raise DataError(f"{origin} must be finite numbers")
        return targets.reshape(-1).astype(str)

    def _read_csv(self, path: Path, log: Callable[[str], None]) -> _Read:
        section = self.section
        table = read_table(path, delimiter=section.delimiter, missing=MISSING)
        keys = {
            key: name
            for key in ("id_key", "target_key", "group_key", "time_key")
            if (name := getattr(section, key)) is not None
        }
        for key, name in keys.items():
            require_column(table, name, f"data.{key}", str(path))
        names = [name for name in table.columns if name not in keys.values()]
        if not names:
            raise DataError(f"{path}: must have a column of values beside {', '.join(keys.values())}")
        if table[section.id_key].isna().any():
            raise DataError(f"{path}: column {section.id_key!r} must have a value in every row")
        values = table.assign(**{name: numbers_of(table[name], str(path)) for name in names})
        if section.time_key:
            moment = moments(table[section.time_key], str(path))
            values = values.iloc[np.argsort(moment, kind="stable")]
        series, targets, groups = [], [], []
        for name, rows in values.groupby(section.id_key, sort=False):
            for column in (section.target_key, section.group_key):
                if column and rows[column].nunique(dropna=False) != 1:
                    raise DataError(f"{path}: all rows of series {name!r} must have one {column}")
            series.append(rows[names].to_numpy(np.float32).T)
            targets.append(rows[section.target_key].iloc[0] or "")
            groups.append(str(rows[section.group_key].iloc[0]) if section.group_key else "")
        series = _without_counters(names, series, path, log)
        return _Read(series, np.array(targets, str), np.array(groups) if section.group_key else None)


def _read_ts(path: Path) -> _Read:
    """Read the format of the UCR and UEA archives: channels between colons, the target last."""
    series, targets, in_data = [], [], False
    declared: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        if not line or line.startswith(("#", "%")):
            continue
        if line.startswith("@"):
            in_data = in_data or line.lower() == "@data"
            key, *words = line.split()
            if key.lower() == "@classlabel":
                if words[:1] and words[0].lower() == "false":
                    raise DataError(f"{path}: line {number}: series must have targets, got {line}")
                declared.update(words[1:])
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
        if declared and targets[-1] not in declared | set(MISSING):
            raise DataError(
                f"{path}: line {number}: the class must be one of {', '.join(sorted(declared))}, as @classLabel says, "
                f"got {targets[-1]!r}"
            )
    return _Read(series, np.array(targets, str))


def _read_ucr(path: Path) -> _Read:
    """Read UCR's format of 2018: in each line the target, then the values of one channel."""
    series, targets = [], []
    for number, line in enumerate(_lines(path), start=1):
        if not line:
            continue
        target, *values = line.replace(",", " ").split()
        where = f"{path}: line {number}"
        series.append(_channels([",".join(values)], where))
        try:
            targets.append(text_of(float(target)))
        except ValueError as error:
            raise DataError(f"{where}: must begin with a number, the target, got {target!r:.40}") from error
    return _Read(series, np.array(targets, str))


SELF_DESCRIBING: Mapping[str, Callable[[Path], _Read]] = {
    ".ts": _read_ts,
    ".tsv": _read_ucr,
    ".txt": _read_ucr,
}
"""Readers of the formats that need no key of the spec, by suffix."""


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error


def _without_counters(
    names: Sequence[str], series: Sequence[Floats], path: Path, log: Callable[[str], None]
) -> list[Floats]:
    """Return the series without the channels that only count the times; raises DataError if one is not in order."""
    kept = []
    for channel, name in enumerate(names):
        counts = [one[channel] for one in series]
        if any(len(one) < 2 for one in counts) or any((np.diff(np.sort(one)) != 1).any() for one in counts):
            kept.append(channel)
        elif any((np.diff(one) != 1).any() for one in counts):
            raise DataError(
                f"{path}: rows of a series must be in the order of time, and {name!r} is not: set data.time_key: {name}"
            )
        else:
            log(f"column {name}: ignored, it counts the times")
    if not kept:
        raise DataError(f"{path}: must have a column of values, and has only {', '.join(names)}")
    return [one[kept] for one in series]


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
    names = _sorted_names(set(targets.tolist()))
    if not are_classes(len(names), len(targets)):
        raise DataError(
            f"{origin}: {len(names)} different targets of {len(targets)} series are too many for classes: set "
            "data.predict: number"
        )
    return tuple(names)


def _sorted_names(names: set[str]) -> list[str]:
    if all(map(_is_number, names)):
        return sorted(names, key=lambda name: (float(name), name))
    return natural_order(names)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(targets: NDArray[Any], path: Path) -> NDArray[np.float32]:
    try:
        return targets.astype(np.float64).astype(np.float32)
    except ValueError as error:
        raise DataError(f"{path}: targets must be numbers: {error}") from error
