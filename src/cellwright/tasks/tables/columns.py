"""The columns of a table: what type each has, and its values as arrays."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.errors import DataError
from cellwright.results import Result

Kind = Literal["number", "category", "date"]
INPUT_NAMES: Mapping[Kind, str] = {"number": "numbers", "category": "categories", "date": "dates"}
"""The network's input that has the columns of a kind."""

NO_DATE = int(np.iinfo(np.int64).min)
"""What stands for a missing date, as NumPy has it."""
UNKNOWN, MISSING = 0, 1
"""The codes of a category that training has not seen, and of one that is missing; levels follow."""
FIRST_LEVEL = 2
MOST_LEVELS = 1000
"""A column of texts with more different ones than this is left out, unless its type is given."""


class Column(Result):
    """A column that networks read."""

    name: str
    kind: Kind


def infer_kind(name: str, values: Any) -> tuple[Kind | None, str]:
    """Return a column's kind, None where it says nothing, and in words why.

    Args:
        name: what it is called.
        values: a pandas Series; texts have no spaces around them, and what is missing is missing.
    """
    import pandas as pd

    known = values.dropna()
    num_different = known.nunique()
    if num_different < 2:
        return None, "ignored: all values are the same" if num_different else "ignored: no value is there"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "date", "date"
    if pd.api.types.is_bool_dtype(values):
        return "category", "category of 2 levels"
    if pd.api.types.is_numeric_dtype(values) or as_numbers(known).notna().all():
        numbers = as_numbers(known)
        if len(known) == len(values) and (np.diff(numbers.to_numpy(np.float64)) == 1).all():
            return None, "ignored: it counts the rows"
        return "number", f"number from {numbers.min():g} to {numbers.max():g}"
    if as_dates(known).notna().all():
        return "date", f"date from {as_dates(known).min():%Y-%m-%d} to {as_dates(known).max():%Y-%m-%d}"
    if num_different > min(MOST_LEVELS, max(2, len(known) // 2)):
        return None, f"ignored: {num_different} different texts in {len(known)} rows"
    return "category", f"category of {num_different} levels"


def as_numbers(values: Any) -> Any:
    """Return the values as float64, NaN where one is no finite number."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").astype(np.float64)
    return numbers.where(np.isfinite(numbers))


def as_dates(values: Any) -> Any:
    """Return the values as dates of UTC, missing where one is none; texts are dates as ISO 8601 has them."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        return pd.Series(pd.NaT, values.index)
    return pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True).dt.tz_localize(None)


def numbers_of(values: Any, origin: str) -> NDArray[np.float32]:
    """Return a column of numbers, NaN where one is missing; raises DataError for what is no number."""
    numbers = as_numbers(values)
    _require_all(values, numbers, origin, "a finite number")
    return np.asarray(numbers, np.float32)


def dates_of(values: Any, origin: str) -> NDArray[np.int64]:
    """Return a column of dates as seconds since 1970, `NO_DATE` where one is missing; raises DataError."""
    dates = as_dates(values)
    _require_all(values, dates, origin, "a date such as 2024-05-31 or 2024-05-31T12:00:00")
    seconds = dates.to_numpy("datetime64[s]")
    return np.asarray(seconds.view(np.int64))


def levels_of(values: Any) -> list[str]:
    """Return the different texts of a column, in order."""
    return sorted(map(str, values.dropna().unique()))


def codes_of(values: Any, levels: Sequence[str]) -> NDArray[np.int64]:
    """Return the code of each text; `UNKNOWN` where it is not among the levels, `MISSING` where there is none."""
    places = {level: code for code, level in enumerate(levels, FIRST_LEVEL)}
    texts = values.astype(object).where(values.notna(), None)
    return np.array([MISSING if t is None else places.get(str(t), UNKNOWN) for t in texts], np.int64)


def _require_all(values: Any, read: Any, origin: str, rule: str) -> None:
    broken = np.flatnonzero(values.notna().to_numpy() & read.isna().to_numpy())
    if broken.size:
        raise DataError(
            f"{origin}: column {values.name!r} must be {rule}, got {values.iloc[broken[0]]!r:.80} "
            f"in row {broken[0] + 1}"
        )
