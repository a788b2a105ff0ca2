"""Reading the outbox."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, text

from portal.contacts.models import Contact
from portal.kernel import paging
from portal.kernel.db import contains, db, load
from portal.kernel.errors import NotFound
from portal.kernel.names import fold
from portal.kernel.paging import Page
from portal.mail.models import WAITING, MailPause, Message

STATES = ("queued", "sending", "deferred", "sent", "failed", "cancelled")


def get(message_id: int) -> Message:
    """The message; raises NotFound."""
    message = load(Message, message_id)
    if message is None:
        raise NotFound
    return message


def pause() -> MailPause | None:
    """Why nothing is being sent, if the mail server will not have us as we are set up."""
    return db.session.get(MailPause, 1, populate_existing=True)


@dataclass(frozen=True)
class Filters:
    """What a list of messages is narrowed to; empty means all."""

    state: str = ""
    kind: str = ""
    text: str = ""


def page(filters: Filters, after: str) -> Page[Any]:
    """A page of messages, newest first, each with its contact's name."""
    columns = (
        Message.id,
        Message.kind,
        Message.state,
        Message.attempts,
        Message.answer,
        Message.to_address,
        Message.created_at,
        Message.sent_at,
        Message.due_at,
        Message.possible_duplicate,
        Message.contact_id,
        Contact.first_name,
        Contact.last_name,
        Contact.email1,
    )
    found = select(*columns).outerjoin(Contact, Contact.id == Message.contact_id)
    if filters.state:
        found = found.where(Message.state == filters.state)
    if filters.kind:
        found = found.where(Message.kind == filters.kind)
    if filters.text:
        found = found.where(_matches(filters.text))
    position = paging.keys(after, int)
    if position is not None:
        found = found.where(Message.id < position[0])
    rows = db.session.execute(found.order_by(Message.id.desc()).limit(paging.PAGE_SIZE + 1)).all()
    return paging.page(rows, lambda row: (row.id,))


def counts(states: Iterable[str] = STATES, since: datetime | None = None) -> dict[str, int]:
    """How many messages are in each of these states, counted to 10,001 at most."""
    newer = () if since is None else (Message.created_at >= since,)
    rows = {state: select(Message.id).where(Message.state == state, *newer) for state in states}
    counted = db.session.execute(select(*(paging.capped_column(held) for held in rows.values()))).one()
    return dict(zip(rows, counted, strict=True))


def waiting() -> int:
    """How many messages wait, counted to 10,001 at most."""
    return paging.capped(select(Message.id).where(text(WAITING)))


def oldest_due(now: datetime) -> datetime | None:
    """Since when the message that waits longest has been due."""
    return db.session.scalar(select(func.min(Message.due_at)).where(text(WAITING), Message.due_at <= now))


def _matches(typed: str) -> ColumnElement[bool]:
    part = contains(fold(typed, 200))
    return or_(
        Contact.name_key.like(part, escape="\\"),
        Contact.email1_key.like(part, escape="\\"),
        func.lower(Message.to_address).like(part, escape="\\"),
    )
