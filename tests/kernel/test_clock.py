"""When a day ends: to the second, in zones that change their clocks, on the days they do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.kernel import clock

ENDS = [
    ("Europe/Berlin", date(2026, 10, 25), "2026-10-25T23:00:00"),
    ("Europe/Berlin", date(2026, 3, 29), "2026-03-29T22:00:00"),
    ("Europe/Berlin", date(2026, 10, 24), "2026-10-24T22:00:00"),
    ("Europe/Berlin", date(2026, 11, 20), "2026-11-20T23:00:00"),
    ("America/New_York", date(2026, 11, 1), "2026-11-02T05:00:00"),
    ("America/New_York", date(2026, 3, 8), "2026-03-09T04:00:00"),
    ("America/New_York", date(2026, 10, 31), "2026-11-01T04:00:00"),
    ("Africa/Cairo", date(2026, 4, 23), "2026-04-23T22:00:00"),
    ("Africa/Cairo", date(2026, 4, 24), "2026-04-24T21:00:00"),
    ("Africa/Cairo", date(2026, 10, 29), "2026-10-29T22:00:00"),
    ("Africa/Cairo", date(2026, 10, 30), "2026-10-30T22:00:00"),
    ("Asia/Kathmandu", date(2026, 6, 1), "2026-06-01T18:15:00"),
    ("UTC", date(2026, 12, 31), "2027-01-01T00:00:00"),
    ("UTC", date(2028, 2, 29), "2028-03-01T00:00:00"),
    ("Pacific/Kiritimati", date(2026, 6, 1), "2026-06-01T10:00:00"),
    ("Pacific/Pago_Pago", date(2026, 6, 1), "2026-06-02T11:00:00"),
    ("UTC", date(1970, 1, 1), "1970-01-02T00:00:00"),
    ("Asia/Kathmandu", date(9998, 12, 31), "9998-12-31T18:15:00"),
]


def test_the_last_day_a_date_can_hold_has_no_end():
    with pytest.raises(OverflowError):
        clock.end_of_day(date(9999, 12, 31), ZoneInfo("UTC"))


@pytest.mark.parametrize(("zone", "day", "ends"), ENDS)
def test_a_day_ends_to_the_second(zone: str, day: date, ends: str):
    end = clock.end_of_day(day, ZoneInfo(zone))
    assert end == datetime.fromisoformat(ends).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "day", "_ends"), ENDS)
def test_the_second_before_still_belongs_to_the_day(zone: str, day: date, _ends: str):
    end = clock.end_of_day(day, ZoneInfo(zone))
    assert clock.local_day(end - timedelta(seconds=1), ZoneInfo(zone)) == day
    assert clock.local_day(end, ZoneInfo(zone)) == day + timedelta(days=1)


def test_now_is_aware_and_in_utc():
    assert clock.now().utcoffset() == timedelta(0)


def test_a_stopped_clock_stands_still_and_goes_on_afterwards():
    still = datetime(2026, 1, 1, tzinfo=UTC)
    with clock.reading(lambda: still):
        assert clock.now() == clock.now() == still
    assert clock.now() > still
