"""Rate limits that all processes share: fixed windows of the `limits` library, counted in the database.

Only failures are counted, so a healthy site writes nothing.
"""

import math
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any

from limits import RateLimitItem
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import String, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel import clock
from portal.kernel.db import Base, db, side_transaction
from portal.kernel.errors import TooFast


class RateLimit(Base):
    """How often something failed within the window that ends at `expires_at`."""

    __tablename__ = "rate_limit"

    key: Mapped[str] = mapped_column(String(250), primary_key=True)
    hits: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class DatabaseStorage(Storage):
    """Storage for `limits` in the portal's own database; one atomic upsert per hit."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__(None)

    @property
    def base_exceptions(self) -> type[Exception]:
        return RuntimeError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = clock.now()
        fresh = now + timedelta(seconds=expiry)
        with side_transaction() as connection:
            dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
            over = RateLimit.expires_at <= now
            statement = dialect.insert(RateLimit).values(key=key, hits=amount, expires_at=fresh)
            statement = statement.on_conflict_do_update(
                index_elements=[RateLimit.key],
                set_={
                    "hits": case((over, amount), else_=RateLimit.hits + amount),
                    "expires_at": case((over, fresh), else_=RateLimit.expires_at),
                },
            ).returning(RateLimit.hits)
            return int(connection.execute(statement).scalar_one())

    def get(self, key: str) -> int:
        found = self.row(key)
        return int(found.hits) if found is not None else 0

    def get_expiry(self, key: str) -> float:
        found = self.row(key)
        return float(found.expires_at.timestamp()) if found is not None else clock.now().timestamp()

    def check(self) -> bool:
        return True

    def clear(self, key: str) -> None:
        with side_transaction() as connection:
            connection.execute(delete(RateLimit).where(RateLimit.key == key))

    def reset(self) -> int | None:
        with side_transaction() as connection:
            return int(connection.execute(delete(RateLimit)).rowcount)

    def row(self, key: str) -> Any:
        """Hits and end of the window of this key, or None."""
        statement = select(RateLimit.hits, RateLimit.expires_at).where(
            RateLimit.key == key, RateLimit.expires_at > clock.now()
        )
        # Apart from the request's session, which may look at an earlier moment.
        with db.engine.connect() as connection:
            return connection.execute(statement).one_or_none()


_storage = DatabaseStorage()
_windows = FixedWindowRateLimiter(_storage)


def household(ip: str | None) -> str:
    """Whom failures from this address count against: the address itself, or with IPv6 its /64, all of whose
    addresses one household or server may use in turn."""
    try:
        address = ip_address((ip or "").partition("%")[0])
    except ValueError:
        return (ip or "")[:45]
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


def check(message: str, *limits: tuple[RateLimitItem, str]) -> None:
    """Raise TooFast when any of the limits is used up for its key; counts nothing."""
    waits = [_wait(item, key) for item, key in limits if not _windows.test(item, key)]
    if waits:
        raise TooFast(message, max(waits))


def exceeded(item: RateLimitItem, key: str) -> bool:
    """Whether the limit is used up for its key; counts nothing."""
    return not _windows.test(item, key)


def hit(*limits: tuple[RateLimitItem, str]) -> bool:
    """Count one failure against each limit, and say whether it was the last that one of them allows.

    Never inside `transaction()`, so that it lasts when that is undone.
    """
    counts = [_windows.storage.incr(item.key_for(key), item.get_expiry()) == item.amount for item, key in limits]
    return any(counts)


def count(key: str, seconds: int) -> int:
    """Count one under this key for so long from the first on, and say the how manieth it is. Atomic, so whoever acts
    on the answer cannot be outrun. Never inside `transaction()`."""
    return _storage.incr(key, seconds)


def counted(key: str) -> tuple[int, int]:
    """How many were counted under this key by now, and for how many seconds that stands."""
    found = _storage.row(key)
    return (found.hits, max(1, math.ceil((found.expires_at - clock.now()).total_seconds()))) if found else (0, 0)


def uncount(*keys: str) -> None:
    """Forget what was counted under these keys. Never inside `transaction()`."""
    for key in keys:
        if _storage.get(key):
            _storage.clear(key)


def purge(now: datetime) -> None:
    """Delete counters whose window is over. Called inside `transaction()`."""
    db.session.execute(delete(RateLimit).where(RateLimit.expires_at <= now))


def _wait(item: RateLimitItem, key: str) -> int:
    reset_at = datetime.fromtimestamp(_windows.get_window_stats(item, key).reset_time, UTC)
    return max(1, math.ceil((reset_at - clock.now()).total_seconds()))
