"""The only place that asks what time it is, and that turns a calendar day into an instant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def _system() -> datetime:
    return datetime.now(UTC)


_source: Callable[[], datetime] = _system


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return _source()


@contextmanager
def reading(source: Callable[[], datetime]) -> Iterator[None]:
    """Let `now()` read from `source` inside the block; tests stop and move time with it."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) that no longer belongs to `day` in `zone`.

    Where midnight does not exist (Africa/Cairo in April) the offset before the change counts, so the
    day ends when the clocks jump; where it happens twice, the day ends the first time.

    Raises OverflowError for 9999-12-31, the last day a date can hold.
    """
    midnight = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
    return midnight.astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar day that `instant` falls on in `zone`."""
    return instant.astimezone(zone).date()


def at_hour(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which `hour` strikes on `day` in `zone`; the first time where it strikes twice, and where
    the clocks jump over it, when they do."""
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


def same_time(instant: datetime, days: int, zone: ZoneInfo) -> datetime:
    """So many days after `instant`, at the same time of day in `zone`, whatever the clocks did in between."""
    local = instant.astimezone(zone)
    return datetime.combine(local.date() + timedelta(days=days), local.time(), tzinfo=zone).astimezone(UTC)


def after_quiet(instant: datetime, start: int, end: int, zone: ZoneInfo) -> datetime:
    """`instant`, or where it falls between the hours `start` and `end` of the day in `zone` (over midnight too), the
    instant at which those end."""
    local = instant.astimezone(zone)
    overnight = start > end
    quiet = local.hour >= start or local.hour < end if overnight else start <= local.hour < end
    if not quiet:
        return instant
    day = local.date() + timedelta(days=1 if overnight and local.hour >= start else 0)
    return at_hour(day, end, zone)
