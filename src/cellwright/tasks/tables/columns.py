"""The columns of a table: what type each has, and its values as arrays."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.errors import DataError
from cellwright.results import Result
from cellwright.tasks.folder_names import natural_order

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
FEW_NUMBERS = 20
"""More different numbers than this are a quantity, and no codes."""
FEW_EXCEPTIONS = 3
"""So few different texts in a column of numbers rather mean that a value is missing."""
DELIMITERS = (",", ";", "|", "\t")
FORMATTED_NUMBER = re.compile(r"[-+]?\s?[$€£]?\s?\d{1,3}([.,'\s]?\d{3})*([.,]\d+)?\s?[%$€£]?")
FORMATTED_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2})\b.*")


UNNAMED = "Unnamed: "
"""How the names of columns begin whose name is empty."""


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
        if name.startswith(UNNAMED) and num_different == len(values):
            return None, "ignored: it has no name and numbers the rows, as pandas writes them"
        return "number", f"number from {numbers.min():g} to {numbers.max():g}"
    if as_dates(known).notna().all():
        return "date", f"date from {as_dates(known).min():%Y-%m-%d} to {as_dates(known).max():%Y-%m-%d}"
    if num_different > min(MOST_LEVELS, max(2, len(known) // 2)):
        return (
            None,
            f"ignored: {num_different} different texts in {len(known)} rows, such as {known.iloc[0]!r:.40}",
        )
    return "category", f"category of {num_different} levels"


def as_numbers(values: Any) -> Any:
    """Return the values as float64, NaN where one is no number that is finite in float32."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").astype(np.float64)
    return numbers.where(numbers.abs() <= np.finfo(np.float32).max)


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
    """Return the different texts of a column, in natural order."""
    return natural_order({text_of(value) for value in values.dropna().unique()})


def text_of(value: Any) -> str:
    """Return a value as text: a whole number without decimals, as it is where no value is missing beside it."""
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def codes_of(values: Any, levels: Sequence[str]) -> NDArray[np.int64]:
    """Return the code of each text; `UNKNOWN` where it is not among the levels, `MISSING` where there is none."""
    indices = {level: code for code, level in enumerate(levels, FIRST_LEVEL)}
    texts = values.astype(object).where(values.notna(), None)
    return np.array([MISSING if t is None else indices.get(text_of(t), UNKNOWN) for t in texts], np.int64)


def require_column(table: Any, name: str, key: str, origin: str) -> None:
    """Raise DataError unless the table has the column that a key, such as `data.target`, names."""
    names = list(map(str, table.columns))
    if name in names:
        return
    near = difflib.get_close_matches(name.casefold(), map(str.casefold, names), n=1)
    hint = ""
    if near:
        hint = f"; did you mean {next(n for n in names if n.casefold() == near[0])!r}?"
    if len(names) == 1 and (separator := next((d for d in DELIMITERS if d in names[0]), None)):
        hint = f"; its values are separated by {separator!r}: set data.delimiter"
    raise DataError(f"{origin}: {key} must be one of its columns, {', '.join(names)}, got {name!r}{hint}")


def require_readable(values: Any, origin: str) -> None:
    """Refuse a column of texts that people read as numbers or dates, and that would be read as categories.

    Args:
        values: the column, whose type is not given.
        origin: the table.

    Raises:
        DataError: all texts are numbers or dates in a format that is not read, or all but very few are numbers.
    """
    known = values.dropna()
    if not all(isinstance(value, str) for value in known.unique()):
        return
    is_number = as_numbers(known).notna()
    others = list(dict.fromkeys(known[~is_number]))
    num_numbers = known[is_number].nunique()
    where = f"{origin}: column {values.name!r}"
    own = f"or set data.types: {{{values.name}: category}}"
    if others and all(map(FORMATTED_NUMBER.fullmatch, others)):
        raise DataError(f"{where}: numbers must be written as 1234.5, got {others[0]!r}: rewrite them, {own}")
    if others and not num_numbers and all(map(FORMATTED_DATE.fullmatch, others)):
        raise DataError(
            f"{where}: dates must be written as 2024-05-31, got {others[0]!r}: rewrite them, "
            f"or set data.types: {{{values.name}: ignore}}"
        )
    if 0 < len(others) <= FEW_EXCEPTIONS and num_numbers > FEW_NUMBERS:
        listed = ", ".join(map(repr, others))
        raise DataError(
            f"{where} must be numbers, but {(~is_number).sum()} of {len(known)} values are {listed}: "
            f"add that to data.missing, {own}"
        )


def _require_all(values: Any, read: Any, origin: str, rule: str) -> None:
    broken = np.flatnonzero(values.notna().to_numpy() & read.isna().to_numpy())
    if broken.size:
        raise DataError(
            f"{origin}: column {values.name!r} must be {rule}, got {values.iloc[broken[0]]!r:.80} "
            f"in row {broken[0] + 1}"
        )
