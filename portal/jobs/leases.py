"""Leases: a row in a worker's hands carries the worker's id, and goes back to the queue when that worker is gone."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, TextClause, case, text, update

from portal.kernel.db import execute_dml

# Longer than any single step of a delivery; a living worker renews what it holds long before.
LEASE = timedelta(seconds=120)
# What a worker was in the middle of when it died goes behind what it merely held: should it be what killed the
# worker, the others still get their turn.
AFTER_A_DEATH = timedelta(seconds=10)


@dataclass(frozen=True)
class Leased:
    """A table with the columns `state`, `worker`, `lease_until` and `due_at`; `held` is the state of a row in
    somebody's hands, `waiting` the one it returns to; `begun` names a column that is true while work is under way."""

    table: Table
    held: str
    waiting: str
    begun: str | None = None

    def renew(self, worker: str, now: datetime) -> int:
        """Make the leases of a living worker new. All of these are called inside `transaction()`."""
        mine = (self._is_held, self.table.c.worker == worker)
        return execute_dml(update(self.table).where(*mine).values(lease_until=now + LEASE))

    def release(self, worker: str, now: datetime) -> int:
        """Give back whatever a worker holds that has ended."""
        return self._free(now, self.table.c.worker == worker)

    def release_overdue(self, alive: Collection[str], now: datetime) -> int:
        """Give back what workers hold whose lease ran out, but nothing of those known to be `alive`:
        a clock that jumps forward must not put a message into two hands."""
        return self._free(now, self.table.c.lease_until < now, self.table.c.worker.not_in(list(alive)))

    def _free(self, now: datetime, *which: ColumnElement[bool]) -> int:
        due_at: Any = now
        if self.begun is not None:
            due_at = case((self.table.c[self.begun], now + AFTER_A_DEATH), else_=now)
        values = {"state": self.waiting, "worker": None, "lease_until": None, "due_at": due_at}
        return execute_dml(update(self.table).where(self._is_held, *which).values(**values))

    @property
    def _is_held(self) -> TextClause:
        # Spelled out, not bound: only then does SQLite see that the index over just these rows fits.
        return text(f"state = '{self.held}'")
