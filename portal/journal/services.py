"""Writing the journal, inside the transaction of the deed."""

from datetime import datetime
from typing import Any

import structlog

from portal.journal.models import JournalEntry, JournalRecord
from portal.journal.models import Record as Record
from portal.kernel.actor import Actor
from portal.kernel.db import db

log = structlog.get_logger("journal")


def record(
    action: str, *about: Record, by: Actor, now: datetime, text: str = "", detail: dict[str, Any] | None = None
) -> JournalEntry:
    """Note a deed on the timelines of all records it is `about`; each is named once."""
    entry = JournalEntry(
        at=now,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_name=by.name[:250],
        ip=by.ip,
        action=action,
        text=text,
        detail=detail or {},
    )
    db.session.add(entry)
    db.session.flush()
    for kind, record_id, name in dict.fromkeys(about):
        db.session.add(JournalRecord(entry_id=entry.id, kind=kind, record_id=record_id, name=name[:250]))
    log.info(action, actor=f"{by.kind}:{by.id}", records=[f"{r.kind}:{r.id}" for r in about])
    return entry
