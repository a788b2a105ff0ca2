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
