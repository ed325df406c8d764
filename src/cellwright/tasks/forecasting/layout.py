"""The columns of a table of series and its times; how both become arrays."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.errors import DataError
from cellwright.results import Result
from cellwright.tasks.tables.columns import as_numbers, numbers_of, require_column, text_of
from cellwright.tasks.tables.sources.table import moments

Floats = NDArray[np.float32]
Cycle = Literal["day", "week", "year"]
CYCLES: dict[Cycle, float] = {"day": 86400.0, "week": 7 * 86400.0, "year": 365.25 * 86400.0}
"""Length of each cycle in seconds."""
FIRST_MONDAY = 4 * 86400
"""1970-01-05, in seconds since 1970."""
TOLERANCE = 0.01
"""Largest difference of steps of numbers from each other, as a share."""


class Layout(Result):
    """The columns of a table of series."""

    time: str
    series: str | None
    """The column that says which series a row belongs to; None if there is a row for each time."""
    targets: tuple[str, ...]
    past: tuple[str, ...]
    known: tuple[str, ...]
    missing: tuple[str, ...]
    names: tuple[str, ...] = ()
    """The series, in the order of their channels; empty without such a column."""
    step: str = ""
    """The distance of two times: an offset of pandas such as `30min`, or a number."""
    calendar: tuple[Cycle, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of values."""
        return (*self.targets, *self.past, *self.known)

    @property
    def forecast(self) -> tuple[str, ...]:
        """Return the names of the channels that are forecast."""
        return self._channels(self.targets)

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the names of all channels: those that are forecast, past ones, known ones, and the calendar."""
        return (*self.forecast, *self._channels(self.past), *self.future)

    @property
    def future(self) -> tuple[str, ...]:
        """Return the names of the channels that are known beforehand."""
        return (*self.known, *(f"time of {cycle}" for cycle in self.calendar))

    def _channels(self, columns: Sequence[str]) -> tuple[str, ...]:
        if not self.names:
            return tuple(columns)
        if len(columns) == 1:
            return self.names
        return tuple(f"{column} of {name}" for column in columns for name in self.names)


def require_columns(table: Any, layout: Layout, origin: str) -> None:
    """Raise DataError unless the table has all columns."""
    named = {key: getattr(layout, key) for key in ("targets", "past", "known")}
    single = {key: (name,) for key in ("time", "series") if (name := getattr(layout, key)) is not None}
    for key, names in (single | named).items():
        for name in names:
            require_column(table, name, f"data.{key}", origin)


def by_time(table: Any, layout: Layout, origin: str) -> tuple[Any, Floats]:
    """Return the times (T,) and the values (T, channels) without the calendar, NaN where one is missing.

    Times are seconds since 1970 where the column has dates, and else its numbers.

    Raises:
        DataError: a value is not a number, or times are not in order, not unique or not the same for all series.
    """
    times = moments(table[layout.time], origin)
    values = {name: numbers_of(table[name], origin) for name in layout.columns}
    if layout.series is None:
        _require_order(times, table[layout.time], origin, layout)
        return times, np.stack(list(values.values()), axis=1)
    rows = _rows_of_series(table[layout.series], layout, origin)
    first = rows[layout.names[0]]
    for name, of_series in rows.items():
        where = f"{origin}: series {name}"
        _require_order(times[of_series], table[layout.time].iloc[of_series], where, layout)
        if not np.array_equal(times[first], times[of_series]):
            raise DataError(f"{where} must have the same times as series {layout.names[0]}")
        for column in layout.known:
            if not np.array_equal(values[column][first], values[column][of_series], equal_nan=True):
                raise DataError(
                    f"{origin}: column {column!r}, known beforehand, must be the same for all series at each time"
                )
    arrays = [
        values[column][rows[name]] for column in (*layout.targets, *layout.past) for name in layout.names
    ]
    arrays += [values[column][first] for column in layout.known]
    return times[first], np.stack(arrays, axis=1)


def _rows_of_series(values: Any, layout: Layout, origin: str) -> dict[str, Any]:
    """Return the numbers of the rows of each series, in the order of their names."""
    if values.isna().any():
        raise DataError(f"{origin}: column {layout.series!r} must have a value in every row")
    rows = values.reset_index(drop=True).map(text_of)
    found = rows.groupby(rows).indices
    if unknown := sorted(set(layout.names) ^ set(found)):
        raise DataError(
            f"{origin}: column {layout.series!r} must have the series {', '.join(layout.names)}, "
            f"and {unknown[0]!r} is missing or unknown"
        )
    return {name: found[name] for name in layout.names}


def are_dates(values: Any) -> bool:
    """Return whether a column of times has dates, not numbers."""
    import pandas as pd

    return bool(pd.api.types.is_datetime64_any_dtype(values) or as_numbers(values).isna().any())


def step_of(times: Any, has_dates: bool, origin: str) -> str:
    """Return the distance of times; raises DataError if there is a gap."""
    import pandas as pd

    if len(times) < 3:
        raise DataError(f"{origin}: there must be at least 3 times, got {len(times)}")
    steps = np.diff(times)
    usual = float(np.median(steps))
    if has_dates:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # later versions of pandas return an offset
            found = pd.infer_freq(pd.DatetimeIndex(times.astype("datetime64[s]")))
        if found is not None:
            return str(getattr(found, "freqstr", found))
    elif np.abs(steps - usual).max() <= TOLERANCE * usual:
        return repr(usual)
    gap = int(np.argmax(np.abs(steps - usual)))
    before, after = (_shown(times[index], has_dates) for index in (gap, gap + 1))
    raise DataError(
        f"{origin}: times must be evenly spaced, but {after} follows {before}: fill the gap, or use the rows after it"
    )


def continued(times: Any, step: str, count: int) -> Any:
    """Return the next times in the same form."""
    import pandas as pd

    try:
        return times[-1] + float(step) * np.arange(1, count + 1)
    except ValueError:
        last = pd.Timestamp(int(times[-1]), unit="s")
        after = pd.date_range(last, periods=count + 1, freq=step)[1:]
        return after.to_numpy("datetime64[s]").view(np.int64)


def require_step(times: Any, step: str, has_dates: bool, origin: str) -> None:
    """Raise DataError unless times are as far from each other as in training."""
    expected = continued(times[:1], step, len(times) - 1)
    wrong = expected != times[1:] if has_dates else np.abs(expected - times[1:]) > float(step) / 2
    if wrong.any():
        before, after = (_shown(times[int(wrong.argmax()) + one], has_dates) for one in (0, 1))
        raise DataError(f"{origin}: times must be {step} apart, as in training, but {after} follows {before}")


def calendar_channels(times: Any, cycles: Sequence[Cycle]) -> Floats:
    """Return for each cycle the share of it that has passed (T, cycles), from 0 to 1; weeks begin on Monday."""
    dates = np.asarray(times).astype("datetime64[s]")
    seconds = dates.view(np.int64)
    year = dates.astype("datetime64[Y]")
    starts: dict[Cycle, Any] = {
        "day": seconds,
        "week": seconds - FIRST_MONDAY,
        "year": (dates - year.astype("datetime64[s]")).astype(np.int64),
    }
    columns = [starts[cycle] % CYCLES[cycle] / CYCLES[cycle] for cycle in cycles]
    return (
        np.stack(columns, axis=1).astype(np.float32) if columns else np.zeros((len(seconds), 0), np.float32)
    )


def require_values(values: Floats, names: Sequence[str], times: Any, has_dates: bool, origin: str) -> None:
    """Raise DataError unless all values (T, channels) are there."""
    rows, columns = np.nonzero(np.isnan(values))
    if rows.size:
        raise DataError(
            f"{origin}: {names[columns[0]]!r} must have a value at each time, and has none at "
            f"{_shown(times[rows[0]], has_dates)}: fill it"
        )


def _require_order(times: Any, shown: Any, origin: str, layout: Layout) -> None:
    steps = np.diff(times)
    if (steps == 0).any():
        which = shown.iloc[int(np.argmax(steps == 0))]
        hint = "" if layout.series else "; data.series names the column that tells several series apart"
        raise DataError(f"{origin}: each time must be there once, but {which} is there twice{hint}")
    if (steps < 0).any():
        row = int(np.argmax(steps < 0)) + 1
        raise DataError(
            f"{origin}: rows must be in the order of {layout.time}, but {shown.iloc[row]} follows {shown.iloc[row - 1]}"
        )


def _shown(time: Any, has_dates: bool) -> str:
    return str(np.datetime64(int(time), "s")) if has_dates else f"{time:g}"
