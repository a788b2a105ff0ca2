"""The queue: jobs go in with the transaction that causes them, and are done in the transaction of their effect."""

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from portal.jobs.leases import LEASE, Leased
from portal.jobs.models import Job
from portal.kernel.db import db, execute_dml

WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1))
LONGEST_ERROR = 500
# Spelled out, not bound: only then does SQLite see that the index over just these rows fits.
QUEUED = text("state = 'queued'")
JOBS = Leased(Job.__table__, held="running", waiting="queued")  # type: ignore[arg-type]


def enqueue(
    kind: str,
    detail: dict[str, Any],
    *,
    now: datetime,
    due_at: datetime | None = None,
    dedupe_key: str | None = None,
) -> Job:
    """Put a job into the open transaction; it runs after the commit, at `due_at` at the earliest.

    With a `dedupe_key` that a job has already, that job is returned and nothing is added.
    """
    values = {"kind": kind, "detail": detail, "due_at": due_at or now, "created_at": now, "dedupe_key": dedupe_key}
    if dedupe_key is None:
        job = Job(**values, state="queued", attempts=0)
        db.session.add(job)
        db.session.flush()
        return job
    # Two requests may ask for the same job at once: the second takes the first one's row.
    dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    db.session.execute(dialect.insert(Job).values(**values).on_conflict_do_nothing(index_elements=[Job.dedupe_key]))
    return db.session.scalars(select(Job).where(Job.dedupe_key == dedupe_key)).one()


def known(dedupe_key: str) -> bool:
    """Whether there is or was a job of this key."""
    return db.session.scalar(select(Job.id).where(Job.dedupe_key == dedupe_key)) is not None


def claim(worker: str, now: datetime, limit: int = 1) -> list[int]:
    """Take due jobs into `worker`'s hands, oldest first. Called inside `transaction()`."""
    due = select(Job.id).where(QUEUED, Job.due_at <= now).order_by(Job.due_at, Job.id).limit(limit)
    ids = list(db.session.scalars(due.with_for_update(skip_locked=True)))
    if ids:
        values = {"state": "running", "worker": worker, "lease_until": now + LEASE}
        db.session.execute(update(Job).where(Job.id.in_(ids)).values(**values))
    return ids


def any_due(now: datetime) -> bool:
    """Whether it is worth while to claim: a read, so that an idle worker never takes the write lock."""
    return db.session.scalar(select(Job.id).where(QUEUED, Job.due_at <= now).limit(1)) is not None


def waiting() -> int:
    """How many jobs wait."""
    return db.session.scalar(select(func.count()).select_from(Job).where(QUEUED)) or 0


def hold(job_id: int, worker: str, now: datetime) -> Job | None:
    """The job if it is still in `worker`'s hands, its lease made new; else None, and another one does it."""
    held = (Job.id == job_id, Job.state == "running", Job.worker == worker)
    if execute_dml(update(Job).where(*held).values(lease_until=now + LEASE)) != 1:
        return None
    return db.session.get(Job, job_id, populate_existing=True)


def done(job: Job, now: datetime) -> None:
    """Mark a job done."""
    job.state, job.finished_at, job.worker, job.lease_until, job.error = "done", now, None, None, ""


def failed(job: Job, error: str, now: datetime) -> bool:
    """Note a failed try. The job waits for the next, or after five more has failed for good: returns whether it has."""
    job.error, job.worker, job.lease_until = error[:LONGEST_ERROR], None, None
    job.attempts += 1
    if job.attempts > len(WAITS):
        job.state, job.finished_at = "failed", now
        return True
    job.state, job.due_at = "queued", now + with_jitter(WAITS[job.attempts - 1])
    return False


def with_jitter(wait: timedelta) -> timedelta:
    """`wait` and up to a tenth of it, so that what failed together does not come back together."""
    return wait * (1 + random.uniform(0, 0.1))  # noqa: S311
