"""Which workers live: a row that they keep fresh, and a file lock that the kernel drops the moment they end.

A worker killed with -9 on this machine is noticed at once through its lock, one on another machine when its
leases run out.
"""

import fcntl
import os
import re
import secrets
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select

from portal.jobs.leases import Leased
from portal.jobs.models import Worker
from portal.kernel.db import db

# Without a sign of life for this long a worker counts as gone quiet.
QUIET_AFTER = timedelta(seconds=60)
FORGOTTEN_AFTER = timedelta(days=1)


class Presence:
    """This process as a worker: its id, its lock file in `folder`, its row."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:30]
        self.id = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
        self.path = folder / f"worker-{self.id}.lock"
        self._descriptor = _locked(self.path)

    def beat(self, now: datetime) -> None:
        """A sign of life. Called inside `transaction()`."""
        row = db.session.get(Worker, self.id)
        if row is None:
            db.session.add(Worker(id=self.id, started_at=now, seen_at=now))
        else:
            row.seen_at = now

    def leave(self, tables: Sequence[Leased], now: datetime) -> None:
        """Give back what is held and take the row away. Called inside `transaction()`; then `close()`."""
        _forget(self.id, tables, now)

    def close(self) -> None:
        """Drop the lock."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


class Grave:
    """The lock file of a worker that ended without leaving, held so that nobody else clears up after it as well."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        self.worker = path.stem.removeprefix("worker-")

    def close(self, *, cleared: bool) -> None:
        """Let go of it; once its leases are cleared, for ever."""
        if cleared:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def survey(folder: Path) -> tuple[list[str], list[Grave]]:
    """The ids of the workers that live on this machine, and the graves of those that do not."""
    alive: list[str] = []
    graves: list[Grave] = []
    for path in sorted(folder.glob("worker-*.lock")):
        grave = _dug(path)
        if grave is None:
            alive.append(path.stem.removeprefix("worker-"))
        else:
            graves.append(grave)
    return alive, graves


def living(folder: Path) -> list[str]:
    """The ids of the workers that live on this machine."""
    alive, graves = survey(folder)
    for grave in graves:
        grave.close(cleared=False)
    return alive


def bury(graves: Sequence[Grave], tables: Sequence[Leased], now: datetime) -> int:
    """Put back into the queue what dead workers of this machine hold; says how many rows. Inside `transaction()`."""
    return sum(_forget(grave.worker, tables, now) for grave in graves)


def release_overdue(alive: Sequence[str], tables: Sequence[Leased], now: datetime) -> int:
    """Put back what workers elsewhere hold whose leases ran out; says how many rows. Inside `transaction()`."""
    db.session.execute(delete(Worker).where(Worker.seen_at < now - FORGOTTEN_AFTER))
    return sum(table.release_overdue(alive, now) for table in tables)


def last_seen() -> datetime | None:
    """When any worker gave its last sign of life."""
    return db.session.scalar(select(func.max(Worker.seen_at)))


def _locked(path: Path) -> int:
    """Make the file and lock it; once more if another worker took it for a grave before it was locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _dug(path: Path) -> Grave | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Grave(path, descriptor)


def _forget(worker: str, tables: Sequence[Leased], now: datetime) -> int:
    freed = sum(table.release(worker, now) for table in tables)
    db.session.execute(delete(Worker).where(Worker.id == worker))
    return freed
