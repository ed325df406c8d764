"""Converts cron expressions in the user's time zone to those of Kubeflow Pipelines.

KFP expects six fields, the first for seconds, in UTC; it misinterprets five. UTC has no daylight saving time, so a
schedule is correct for the zone's current offset, and a timetable includes when that ends. Fields have the same meaning
as in KFP's parser, robfig/cron 1.2.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from cellwright.errors import CellwrightError

_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_FIELDS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day of month": (1, 31),
    "month": (1, 12),
    "day of week": (0, 6),
}
_MONTH_LENGTH_DEPENDS = ("day of month", "month")
_YEARS = 5
"""Number of years that KFP searches for the next time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timetable:
    """The times at which a schedule fires."""

    cron: str
    """Six fields in UTC, as KFP expects."""
    first: datetime
    """The next time, in the time zone."""
    until: datetime | None
    """When the zone's offset, and thus the local time of the schedule, changes next; None if it does not."""


def read_cron(cron: str, timezone: str, now: datetime) -> Timetable:
    """Return the timetable of a cron expression with five or six fields.

    Args:
        cron: minute, hour, day of month, month and day of week, optionally preceded by seconds.
        timezone: name in the IANA database, such as Europe/Berlin.
        now: an aware time, for the zone's offset.

    Raises:
        CellwrightError: a field is invalid, the zone is unknown, no date matches, or there is no equivalent in UTC.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CellwrightError(f"timezone must be a name such as Europe/Berlin, got {timezone!r}") from error
    parts = cron.split()
    if len(parts) == 5:
        parts = ["0", *parts]
    if len(parts) != 6:
        raise CellwrightError(f"cron must have five fields, or six with seconds first, got {cron!r}")
    values = _expand(parts, cron)
    offset = now.astimezone(zone).utcoffset()
    assert offset is not None
    shifted = _shift(values, dict(zip(_FIELDS, parts, strict=True)), offset, f"{cron!r} in {timezone}")
    first = _next_time(shifted, cron, now).astimezone(zone)
    return Timetable(cron=" ".join(shifted), first=first, until=_next_change(zone, now))


def _expand(parts: list[str], cron: str) -> dict[str, list[int]]:
    """Return the values of each field."""
    return {name: _expand_field(name, text.lower(), cron) for name, text in zip(_FIELDS, parts, strict=True)}


def _expand_field(field: str, text: str, cron: str) -> list[int]:
    low, high = _FIELDS[field]
    values: set[int] = set()
    try:
        for part in text.split(","):
            span, slash, step = part.partition("/")
            start, dash, end = span.partition("-")
            if span in ("*", "?"):
                first, last = low, high
            else:
                first = _number(field, start)
                last = _number(field, end) if dash else (high if slash else first)
            if not low <= first <= last <= high:
                raise ValueError
            values.update(range(first, last + 1, _digits(step) if slash else 1))
    except ValueError as error:
        raise CellwrightError(
            f"cron: {field} must be numbers from {low} to {high}, ranges, lists or steps, got {text!r} in {cron!r}"
        ) from error
    return sorted(values)


def _number(field: str, text: str) -> int:
    return _FIELDS[field][0] + _NAMES[field].index(text) if text in _NAMES.get(field, ()) else _digits(text)


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError
    return int(text)


def _next_time(parts: list[str], cron: str, now: datetime) -> datetime:
    """Return the next time of six fields in UTC.

    If day of month or day of week has a star, both must match; otherwise, either. CronSim checks for a star at the
    start of a field, KFP anywhere in it. Therefore, stars are moved to the start, followed by the field's values.
    """
    fields = []
    for text, values in zip(parts, _expand(parts, cron).values(), strict=True):
        stars = [term.replace("?", "*") for term in text.split(",") if term[0] in "*?"]
        fields.append(",".join([*stars, _format(set(values))]))
    try:
        first = next(CronSim(" ".join(fields), now.astimezone(UTC)))
    except (CronSimError, StopIteration):
        first = None
    if first is None or first.year > now.year + _YEARS:
        raise CellwrightError(
            f"cron must match a date within {_YEARS} years, got {cron!r}, which matches none"
        )
    return first


def _shift(
    values: dict[str, list[int]], texts: dict[str, str], offset: timedelta, described: str
) -> list[str]:
    """Return the fields in UTC; unchanged ones keep their original text."""
    if not offset:
        return list(texts.values())
    shifted: set[tuple[int, int]] = set()
    days: set[int] = set()
    for hour in values["hour"]:
        for minute in values["minute"]:
            moment = datetime(2000, 1, 2, hour, minute) - offset
            shifted.add((moment.hour, moment.minute))
            days.add(moment.day - 2)
    hours, minutes = ({pair[index] for pair in shifted} for index in (0, 1))
    any_day = all(texts[name] in ("*", "?") for name in ("day of month", "month", "day of week"))
    other_day = days != {0} and not any_day
    if len(shifted) < len(hours) * len(minutes) or (
        other_day and (len(days) > 1 or any(texts[name] not in ("*", "?") for name in _MONTH_LENGTH_DEPENDS))
    ):
        raise CellwrightError(
            f"cron: {described} falls on times in UTC that one line of cron cannot say: give it in UTC, with "
            "--timezone UTC"
        )
    every_hour = len(hours) == 24
    new = dict(texts)
    new["hour"] = "*" if every_hour else _format(hours)
    if minutes != set(values["minute"]):
        new["minute"] = _format(minutes)
    if other_day:
        new["day of week"] = _format({(value + min(days)) % 7 for value in values["day of week"]})
    return list(new.values())


def _format(values: set[int]) -> str:
    return ",".join(map(str, sorted(values)))


def _next_change(zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return the hour of the next change of the zone's offset, within a year."""
    moment = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    offset = moment.astimezone(zone).utcoffset()
    for _ in range(366 * 24):
        moment += timedelta(hours=1)
        if moment.astimezone(zone).utcoffset() != offset:
            return moment
    return None
