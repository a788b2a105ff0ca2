"""What `/health/ready` looks at; each check reads, and answers with "ok" or what is wrong."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.exc import DBAPIError

from portal.jobs import presence
from portal.kernel import clock
from portal.kernel.db import db
from portal.mail import queries as outbox
from portal.serving import database
from portal.settings.queries import operator

STUCK_AFTER = timedelta(minutes=5)
AWAY = "unavailable"


def _guarded(check: Callable[[], str]) -> Callable[[], str]:
    def guarded() -> str:
        try:
            return check()
        except DBAPIError:
            db.session.rollback()
            return AWAY

    return guarded


def _database() -> str:
    db.session.connection()
    return "ok"


def _migrations() -> str:
    found, newest = database.revisions()
    return "ok" if found == newest else "pending"


def _worker() -> str:
    seen = presence.last_seen()
    if seen is None:
        return "absent"
    return "ok" if clock.now() - seen <= presence.QUIET_AFTER else "stale"


def _mail() -> str:
    if outbox.pause() is not None and not operator().keeps_mail:
        return "paused"
    now = clock.now()
    oldest = outbox.oldest_due(now)
    return "ok" if oldest is None or now - oldest < STUCK_AFTER else "stuck"


CHECKS = {
    name: _guarded(check)
    for name, check in {
        "database": _database,
        "migrations": _migrations,
        "worker": _worker,
        "mail": _mail,
    }.items()
}
