"""Series to forecast in files: csv and parquet, with a row for each time, or for each time and series."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field, model_validator

from cellwright.data import Examples, Reader, Source
from cellwright.data.examples import Array
from cellwright.data.memory import require_memory
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.location import Location
from cellwright.tasks.forecasting.layout import (
    CYCLES,
    Cycle,
    Floats,
    Layout,
    are_dates,
    by_time,
    calendar_channels,
    require_columns,
    require_values,
    step_of,
)
from cellwright.tasks.tables.columns import levels_of
from cellwright.tasks.tables.sources.table import MISSING, Delimiter, read_table

PAST, FUTURE = "past", "future"
LAYOUT, SEASON, STRIDE = "layout", "season", "stride"
"""The facts of a source: its columns, the season if it is given, and the times from one window to the next."""
MOST_CHANNELS = 1000
LEAST_CYCLES = 2
"""How often a cycle must come round in the training split to be among the inputs by default."""
FINEST = {"day": 2, "week": 7, "year": 11}
"""Steps that a cycle must have to be among the inputs by default; months may have 31 days."""


class ForecastSection(StoredData):
    """A csv or parquet file of series, of which the next values are forecast.

    The latest `test_fraction` of the times is for testing, and `validation_fraction` of those before it for validation.
    """

    reader = "cellwright.tasks.forecasting.sources.forecast:ForecastReader"
    LOCATIONS: ClassVar[tuple[str, ...]] = ("path",)
    TEST_KEYS: ClassVar[tuple[str, ...]] = ()
    task = "forecasting"

    source: Literal["forecast"]
    path: Location
    """The file: a row for each time, with a column for each series; or with `series`, a row for each of both."""
    time: str
    """The column of times, dates or numbers: in order, evenly spaced, and without gaps."""
    lookback: int = Field(ge=3)
    """How many times networks see."""
    horizon: int = Field(ge=1)
    """How many times after them are forecast."""
    targets: tuple[str, ...] = ()
    """The columns to forecast; by default all that no other key names."""
    series: str | None = None
    """The column that says which series a row belongs to. All series have the same times, and are forecast together."""
    past: tuple[str, ...] = ()
    """Columns that are read up to the forecast, such as measurements."""
    known: tuple[str, ...] = ()
    """Columns that are known beforehand for the horizon too, such as holidays or planned prices; numbers."""
    calendar: tuple[Literal["day", "week", "year"], ...] | None = None
    """Cycles whose share that has passed networks see, of times that are dates. By default those of which the training
    split has two or more."""
    season: int | None = Field(default=None, ge=1)
    """Times after which values are expected to return, for the seasonal naive forecast that scores are relative to. By
    default, what forecasts the training split best."""
    stride: int = Field(default=1, ge=1)
    """Times from the start of a window to that of the next; more make training faster."""
    missing: tuple[str, ...] = MISSING
    """Texts of a csv file that stand for a missing value."""
    delimiter: Delimiter = ","
    """What separates the values of a csv file; in a .tsv file it is a tab."""

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        names = [self.time, *filter(None, (self.series,)), *self.targets, *self.past, *self.known]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"a column must be named by one key, once, got {min(repeated)!r} twice")
        if self.season is not None and self.season > self.lookback:
            raise ValueError(f"season must be at most lookback, {self.lookback}, got {self.season}")
        return self


class ForecastReader(Reader):
    """Cuts series into windows: what networks see, and the values after it."""

    section: ForecastSection

    def read(self, log: Callable[[str], None]) -> Source:
        """Read the series, and cut them into windows without copying them.

        A window belongs to the split that has all times of its horizon; if these are in two, it is left out. So no
        value is a target of two splits, while windows may look back into earlier splits.
        """
        section, origin = self.section, str(self.section.path)
        table = read_table(Path(section.path), delimiter=section.delimiter, missing=section.missing)
        layout = self._layout(table, origin)
        has_dates = are_dates(table[layout.time])
        times, values = by_time(table, layout, origin)
        ends = self._ends(len(times), origin)
        layout = layout.model_copy(update={"step": step_of(times, has_dates, origin)})
        layout = layout.model_copy(update={"calendar": self._calendar(times[: ends[0]], has_dates, origin)})
        require_values(values, layout.channels, times, has_dates, origin)
        values = np.concatenate([values, calendar_channels(times, layout.calendar)], axis=1)
        names = ", ".join(layout.future)
        log(
            f"{len(times)} times, {layout.step} apart, of {len(layout.forecast)} series"
            + (f"; known beforehand: {names}" if names else "")
        )
        return self._windows(values, layout, ends, origin)

    def _layout(self, table: Any, origin: str) -> Layout:
        """Return the columns of the table, and the names of its series."""
        section = self.section
        keys = {key: getattr(section, key) for key in ("time", "series", "past", "known", "missing")}
        layout = Layout(targets=section.targets, **keys)
        require_columns(table, layout, origin)
        if not layout.targets:
            others = {layout.time, layout.series, *layout.past, *layout.known}
            layout = layout.model_copy(update={"targets": tuple(n for n in table.columns if n not in others)})
            if not layout.targets:
                raise DataError(f"{origin}: must have a column to forecast beside {', '.join(table.columns)}")
        if layout.series is not None:
            names = tuple(levels_of(table[layout.series]))
            layout = layout.model_copy(update={"names": names})
        if len(layout.channels) > MOST_CHANNELS:
            raise DataError(
                f"{origin}: there must be at most {MOST_CHANNELS} series and columns, got {len(layout.channels)}"
            )
        return layout

    def _ends(self, num_times: int, origin: str) -> tuple[int, int, int]:
        """Return the number of times up to the end of training, validation and test split."""
        section = self.section
        validated = num_times - round(section.test_fraction * num_times)
        trained = validated - round(section.validation_fraction * validated)
        least = {
            "training": (trained, section.lookback + section.horizon),
            "validation": (validated - trained, section.horizon),
            "test": (num_times - validated, 2 * section.horizon),
        }
        for name, (has, needs) in least.items():
            if has < needs:
                raise DataError(
                    f"{origin}: the {name} split of {num_times} times must have at least {needs} for lookback "
                    f"{section.lookback} and horizon {section.horizon}, got {has}"
                )
        return trained, validated, num_times

    def _calendar(self, times: Array, has_dates: bool, origin: str) -> tuple[Cycle, ...]:
        if not has_dates:
            if self.section.calendar:
                raise DataError(
                    f"{origin}: data.calendar must be left out, since column {self.section.time!r} has numbers"
                )
            return ()
        if self.section.calendar is not None:
            return self.section.calendar
        span, step = float(times[-1] - times[0]), float(np.median(np.diff(times)))
        return tuple(
            cycle
            for cycle, length in CYCLES.items()
            if span >= LEAST_CYCLES * length and FINEST[cycle] * step <= length
        )

    def _windows(self, values: Floats, layout: Layout, ends: tuple[int, int, int], origin: str) -> Source:
        lookback, horizon, stride = self.section.lookback, self.section.horizon, self.section.stride
        first = (len(values) - lookback - horizon) % stride
        starts = np.arange(first, len(values) - lookback - horizon + 1, stride)
        num_targets, num_future = len(layout.forecast), len(layout.future)
        channels = len(layout.channels)
        require_memory(
            origin,
            4 * len(starts) * (channels * lookback + (num_targets + num_future) * horizon),
        )
        after = sliding_window_view(values[lookback:], horizon, axis=0)[first::stride]
        inputs = {PAST: sliding_window_view(values[: len(values) - horizon], lookback, axis=0)[first::stride]}
        if num_future:
            inputs[FUTURE] = after[:, channels - num_future :]
        begins = starts + lookback
        trained, validated, _ = ends
        assigned = np.where(
            begins + horizon <= trained,
            "train",
            np.where(
                (begins >= trained) & (begins + horizon <= validated),
                "validation",
                np.where(begins >= validated, "test", ""),
            ),
        )
        return Source(
            examples=Examples(origin=origin, inputs=inputs, targets=after[:, :num_targets]),
            facts={LAYOUT: layout, SEASON: self.section.season, STRIDE: stride},
            assigned=assigned,
        )
