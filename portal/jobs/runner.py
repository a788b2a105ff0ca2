"""Does the jobs that are due, one at a time: claim, then effect and done-mark in one transaction."""

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from portal.jobs import handlers, queue
from portal.jobs.handlers import Failure
from portal.jobs.models import Job
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import PortalError

log = structlog.get_logger("jobs")


def turn(worker: str, stopping: Callable[[], bool]) -> bool:
    """Do one job if any is due; says whether it did. Needs an app context."""
    if not queue.any_due(clock.now()):
        return False
    with transaction():
        claimed = queue.claim(worker, clock.now())
    for job_id in claimed:
        _do(job_id, worker)
    return bool(claimed)


def _do(job_id: int, worker: str) -> None:
    try:
        outside = _outside(job_id)
        with transaction():
            now = clock.now()
            job = queue.hold(job_id, worker, now)
            if job is None:
                return
            kind = job.kind
            _handler(kind).run({**job.detail, **outside}, job.id, now)
            queue.done(job, now)
    except (OperationalError, InterfaceError):
        # The database is away or busy: no fault of the job, whose lease brings it back.
        raise
    except Exception as fault:
        log.warning("job.failed", job=job_id, error=type(fault).__name__, exc_info=not isinstance(fault, PortalError))
        _note(job_id, worker, _words(fault))
    else:
        log.info("job.done", job=job_id, kind=kind)


def _outside(job_id: int) -> dict[str, Any]:
    """What the job does with other machines, while nothing in the database waits for it."""
    job = db.session.get_one(Job, job_id, populate_existing=True)
    outside = _handler(job.kind).outside
    try:
        return {} if outside is None else {"outside": outside(dict(job.detail), clock.now())}
    finally:
        db.session.rollback()


def _note(job_id: int, worker: str, error: str) -> None:
    with transaction():
        now = clock.now()
        job = queue.hold(job_id, worker, now)
        if job is None:
            return
        final = queue.failed(job, error, now)
        report = handlers.registry[job.kind].failed if job.kind in handlers.registry else None
        if report is not None:
            report(job.detail, job.id, now, Failure(error, job.attempts, final))


def _handler(kind: str) -> handlers.Registered:
    if kind not in handlers.registry:
        raise PortalError(f"nothing here does jobs of the kind {kind!r}")
    return handlers.registry[kind]


def _words(fault: Exception) -> str:
    """What staff may read of a fault: our own sentences, else just its type, for the text may hold anything."""
    return fault.message if isinstance(fault, PortalError) and fault.message else type(fault).__name__
