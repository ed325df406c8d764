"""When a schedule fires: cron as people write it, in their time zone, and as Kubeflow Pipelines takes it.

KFP wants six fields, the first of seconds, in UTC; of five it makes something else. UTC knows no daylight saving, so a
schedule is right for the offset that the zone has now, and says until when that is.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
    "day of week": (0, 7),
}
_MONTH_LENGTH_DEPENDS = ("day of month", "month")


@dataclass(frozen=True, kw_only=True, slots=True)
class Timetable:
    """When a schedule fires."""

    cron: str
    """Six fields in UTC, as KFP takes them."""
    until: datetime | None
    """When the zone's offset changes next, and with it the local time that this fires at; None if it does not."""


def read_cron(cron: str, timezone: str, now: datetime) -> Timetable:
    """Return the timetable that five or six fields of cron in a time zone stand for.

    Args:
        cron: minute, hour, day of month, month and day of week, with seconds before them or without.
        timezone: a name of the IANA database, such as Europe/Berlin.
        now: an aware time, for the zone's offset.

    Raises:
        CellwrightError: a field is no field of cron, the zone is unknown, or UTC cannot say the same.
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
    values = {name: _expand(name, text.lower(), cron) for (name, text) in zip(_FIELDS, parts, strict=True)}
    offset = now.astimezone(zone).utcoffset()
    assert offset is not None
    shifted = _shift(values, dict(zip(_FIELDS, parts, strict=True)), offset, f"{cron!r} in {timezone}")
    return Timetable(cron=" ".join(shifted), until=_next_change(zone, now))


def _expand(field: str, text: str, cron: str) -> list[int]:
    """Return the values that a field stands for."""
    low, high = _FIELDS[field]
    values: set[int] = set()
    try:
        for part in text.split(","):
            span, _, step = part.partition("/")
            start, dash, end = span.partition("-")
            if span in ("*", "?"):
                first, last = low, min(high, 6) if field == "day of week" else high
            else:
                first = _number(field, start)
                last = _number(field, end) if dash else (high if step else first)
            if not low <= first <= last <= high:
                raise ValueError
            values.update(range(first, last + 1, int(step or "1")))
    except ValueError as error:
        raise CellwrightError(
            f"cron: {field} must be numbers from {low} to {high}, ranges, lists or steps, got {text!r} in {cron!r}"
        ) from error
    return sorted({value % 7 for value in values} if field == "day of week" else values)


def _number(field: str, text: str) -> int:
    return _FIELDS[field][0] + _NAMES[field].index(text) if text in _NAMES.get(field, ()) else int(text)


def _shift(
    values: dict[str, list[int]], texts: dict[str, str], offset: timedelta, described: str
) -> list[str]:
    """Return the fields in UTC; those that stay the same as they were written."""
    if not offset:
        return list(texts.values())
    shifted: set[tuple[int, int]] = set()
    days: set[int] = set()
    for hour in values["hour"]:
        for minute in values["minute"]:
            moment = datetime(2000, 1, 2, hour, minute) - offset
            shifted.add((moment.hour, moment.minute))
            days.add(moment.day - 2)
    hours, minutes = ({pair[place] for pair in shifted} for place in (0, 1))
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
    new["hour"] = "*" if every_hour else _spell(hours)
    if minutes != set(values["minute"]):
        new["minute"] = _spell(minutes)
    if other_day:
        new["day of week"] = _spell({(value + min(days)) % 7 for value in values["day of week"]})
    return list(new.values())


def _spell(values: set[int]) -> str:
    return ",".join(map(str, sorted(values)))


def _next_change(zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return the hour in which the zone's offset changes next, within a year."""
    moment = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    offset = moment.astimezone(zone).utcoffset()
    for _ in range(366 * 24):
        moment += timedelta(hours=1)
        if moment.astimezone(zone).utcoffset() != offset:
            return moment
    return None
