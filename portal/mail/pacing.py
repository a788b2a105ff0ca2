"""How many messages leave in a minute, all workers together."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from portal.kernel.db import db
from portal.mail.models import MailPace

MINUTE = timedelta(minutes=1)
# What was missed while nobody could send is made up for up to this much: a twentieth of a minute, so that no minute
# holds more than five in a hundred too many.
CREDIT = timedelta(seconds=3)


def turn(per_minute: int, now: datetime) -> datetime:
    """Take the next turn to send a message, and say when it is. Called inside `transaction()`."""
    pace = db.session.get(MailPace, 1, with_for_update=True, populate_existing=True)
    if pace is None:
        dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
        db.session.execute(dialect.insert(MailPace).values(id=1, next_at=now).on_conflict_do_nothing())
        pace = db.session.get_one(MailPace, 1, with_for_update=True, populate_existing=True)
    step = MINUTE / per_minute
    # A turn far away was taken under a slower pace, or by a clock that went wrong: nobody waits for that.
    mine = min(max(pace.next_at, now - CREDIT // step * step), now + MINUTE)
    pace.next_at = mine + step
    return mine
