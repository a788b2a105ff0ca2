"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class FrozenClock:
    """Call it for the instant it shows. Staff sessions end after 30 idle minutes: a larger move signs them out."""

    def __init__(self, instant: datetime = NOON) -> None:
        self.now = instant

    def __call__(self) -> datetime:
        return self.now

    def move(self, **step: float) -> datetime:
        """Move by a timedelta given in words: `move(minutes=5)`, `move(seconds=-1)`."""
        self.now += timedelta(**step)
        return self.now

    def set(self, instant: datetime) -> datetime:
        """Show this (aware) instant from now on."""
        if instant.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        self.now = instant
        return instant
