"""Where somebody is signed in: their sessions, as a page lists them, and ending those."""

import re
from datetime import datetime
from typing import NamedTuple

from flask_babel import gettext as _
from sqlalchemy import delete, select

from portal.kernel import clock
from portal.kernel.db import db, side_transaction
from portal.kernel.secrets_ import digest
from portal.web.sessions import ABSOLUTE, IDLE, ServerSession, current_id

BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class Device(NamedTuple):
    """A session of somebody's. `handle` names it on a page and opens nothing; `remembered` is the number of the
    remembered browser that it belongs to."""

    handle: str
    name: str
    created_at: datetime
    seen_at: datetime
    ip: str | None
    user_agent: str
    here: bool
    remembered: int | None


def devices(user: str) -> list[Device]:
    """The living sessions of somebody (`contact:3:0`), this one first, then those used last."""
    now, own = clock.now(), current_id()
    rows = db.session.execute(select(ServerSession).where(ServerSession.user == user)).scalars().all()
    living = [r for r in rows if now - r.seen_at < IDLE[r.audience] and now - r.created_at < ABSOLUTE[r.audience]]
    found = [
        Device(
            handle=_handle(row.id),
            name=browser(row.user_agent),
            created_at=row.created_at,
            seen_at=row.seen_at,
            ip=row.ip,
            user_agent=row.user_agent,
            here=row.id == own,
            remembered=row.data.get("stay"),
        )
        for row in living
    ]
    return sorted(found, key=lambda device: (device.here, device.seen_at), reverse=True)


def end(user: str, handle: str) -> Device | None:
    """End the session with this handle, if it is one of theirs, and say which it was. Never inside `transaction()`."""
    found = next((device for device in devices(user) if device.handle == handle), None)
    if found is not None:
        rows = select(ServerSession.id).where(ServerSession.user == user)
        ids = [row_id for row_id in db.session.scalars(rows) if _handle(row_id) == handle]
        with side_transaction() as connection:
            connection.execute(delete(ServerSession).where(ServerSession.id.in_(ids)))
    return found


def browser(user_agent: str) -> str:
    """What a browser calls itself, in words: `Firefox on Windows`."""
    name = next((name for mark, name in BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS if re.search(rf"\b{mark}\b", user_agent)), None)
    if name and system:
        return _("%(browser)s on %(system)s", browser=name, system=system)
    return name or system or _("Another browser")


def _handle(row_id: str) -> str:
    return digest(f"device {row_id}")[:32]
