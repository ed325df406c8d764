import re
from datetime import UTC, datetime

import pytest

from cellwright.errors import CellwrightError
from cellwright_pipelines.cron import read_cron

WINTER = datetime(2026, 11, 24, 12, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "timezone", "now", "utc"),
    [
        ("0 3 * * 1", "UTC", WINTER, "0 0 3 * * 1"),  # KFP takes five fields for six with seconds first
        ("30 0 3 * * 1", "UTC", WINTER, "30 0 3 * * 1"),
        ("0 3 * * 1", "Europe/Berlin", WINTER, "0 0 2 * * 1"),
        ("0 3 * * 1", "Europe/Berlin", SUMMER, "0 0 1 * * 1"),
        ("0 0 * * 1", "Europe/Berlin", WINTER, "0 0 23 * * 0"),
        ("0 0 * * 0", "Europe/Berlin", WINTER, "0 0 23 * * 6"),
        ("0 0 * * mon-fri", "Europe/Berlin", WINTER, "0 0 23 * * 0,1,2,3,4"),
        ("0 23 * * sun", "America/New_York", WINTER, "0 0 4 * * 1"),
        ("0 9 1 * *", "Asia/Tokyo", WINTER, "0 0 0 1 * *"),
        ("*/15 * * * *", "Europe/Berlin", WINTER, "0 */15 * * * *"),
        ("30 9 * * *", "Asia/Kolkata", WINTER, "0 0 4 * * *"),
        ("0,30 9 * * *", "Asia/Kolkata", WINTER, None),  # 3:30 and 4:00, which no one line says
        ("0 0 * * *", "Europe/Berlin", WINTER, "0 0 23 * * *"),
        ("0 0,12 * * *", "Europe/Berlin", WINTER, "0 0 11,23 * * *"),
        ("0 0,12 * * 1", "Europe/Berlin", WINTER, None),  # on two days of the week
        ("0 0 1 * *", "Europe/Berlin", WINTER, None),  # on the last day of the month
        ("0 3-5 * jan,jul *", "Europe/Berlin", WINTER, "0 0 2,3,4 * jan,jul *"),
    ],
)
def test_cron_has_the_format_of_kubeflow(cron, timezone, now, utc):
    if utc is None:
        with pytest.raises(CellwrightError, match="one line of cron cannot say: give it in UTC"):
            read_cron(cron, timezone, now)
    else:
        assert read_cron(cron, timezone, now).cron == utc


def test_it_says_until_when_that_is_right():
    assert read_cron("0 3 * * 1", "Europe/Berlin", WINTER).until == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert read_cron("0 3 * * 1", "Asia/Tokyo", WINTER).until is None


@pytest.mark.parametrize(
    ("cron", "timezone", "first"),
    [
        ("0 3 * * *", "UTC", "2026-11-25T03:00:00+00:00"),
        ("0 3 * * 1", "Europe/Berlin", "2026-11-30T03:00:00+01:00"),
        ("0 9 29 2 *", "Asia/Tokyo", "2028-02-29T09:00:00+09:00"),
        ("0 3 31 2 1", "UTC", "2027-02-01T03:00:00+00:00"),  # without a star, one of the days is enough
        ("0 3 1 * 1,*", "UTC", "2026-12-01T03:00:00+00:00"),  # a star anywhere asks for both
        ("0 3 * * 5/1", "UTC", "2026-11-27T03:00:00+00:00"),
        ("0 3-3/2 * * *", "UTC", "2026-11-25T03:00:00+00:00"),
    ],
)
def test_it_says_when_it_fires_next(cron, timezone, first):
    assert read_cron(cron, timezone, WINTER).first.isoformat() == first


@pytest.mark.parametrize(
    ("cron", "timezone", "line"),
    [
        ("0 3 * *", "UTC", "five fields, or six with seconds first, got '0 3"),
        ("61 3 * * 1", "UTC", "minute must be numbers from 0 to 59, ranges, lists or steps, got '61'"),
        ("0 3 * * foo", "UTC", "day of week must be numbers from 0 to 6"),
        ("0 3 * * 7", "UTC", "day of week must be numbers from 0 to 6, ranges, lists or steps, got '7'"),
        ("0 3 * * 5-7", "Europe/Berlin", "day of week must be numbers from 0 to 6"),
        ("0 3 L * *", "UTC", "day of month must be"),
        ("0 3 * * 1#2", "UTC", "day of week must be"),
        ("*/ 3 * * *", "UTC", "minute must be"),
        ("+5 3 * * *", "UTC", "minute must be"),
        ("0 3 31 2 *", "UTC", "cron must match a date within 5 years, got '0 3 31 2 *', which matches none"),
        ("0 3 30-31 feb *", "Europe/Berlin", "got '0 3 30-31 feb *', which matches none"),
        ("0 3 31 4,6,9,11 ?", "UTC", "which matches none"),
        ("0 3 31 2 */2", "UTC", "which matches none"),  # both days must match where either has a star
        ("0 3 29 2 0,*/6", "UTC", "which matches none"),  # a Saturday or Sunday: only in 2032
        ("0 5-3 * * *", "UTC", "hour must be"),
        ("0 3/0 * * *", "UTC", "hour must be"),
        (
            "0 3 * * 1",
            "Europe/Bielefeld",
            "timezone must be a name such as Europe/Berlin, got 'Europe/Bielefeld'",
        ),
    ],
)
def test_an_error_is_named(cron, timezone, line):
    with pytest.raises(CellwrightError, match=re.escape(line)):
        read_cron(cron, timezone, WINTER)
