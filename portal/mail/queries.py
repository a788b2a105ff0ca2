"""Reading the outbox."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, text

from portal.contacts.models import Contact
from portal.kernel import paging
from portal.kernel.db import contains, db, load, possible
from portal.kernel.errors import NotFound
from portal.kernel.names import fold
from portal.kernel.paging import Page
from portal.mail.models import BOUNCED, WAITING, MailPause, Message
from portal.settings.queries import site

STATES = ("queued", "sending", "deferred", "sent", "failed", "cancelled", "bounced")
TO_INVITED = ("invitation", "reminder")
DAY = timedelta(hours=24)


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
    """What a list of messages is narrowed to; empty means all. The state may be `bounced` as well: those that a server
    took and gave back."""

    state: str = ""
    kind: str = ""
    text: str = ""
    contact_id: int | None = None
    invitation_id: int | None = None


def page(filters: Filters, after: str) -> Page[Any]:
    """A page of messages, newest first, each with its contact's name."""
    columns: tuple[Any, ...] = (
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
        Message.bounced_at,
        Contact.first_name,
        Contact.last_name,
        Contact.email1,
    )
    found = _narrowed(select(*columns).outerjoin(Contact, Contact.id == Message.contact_id), filters)
    position = paging.keys(after, int)
    if position is not None:
        found = found.where(Message.id < position[0])
    rows = db.session.execute(found.order_by(Message.id.desc()).limit(paging.PAGE_SIZE + 1)).all()
    return paging.page(rows, lambda row: (row.id,))


def latest_to(contact_id: int, number: int) -> Sequence[Any]:
    """The latest messages to a contact."""
    columns = (Message.id, Message.kind, Message.state, Message.created_at, Message.bounced_at, Message.answer)
    newest = select(*columns).where(Message.contact_id == contact_id, Message.staff_id.is_(None))
    return db.session.execute(newest.order_by(Message.id.desc()).limit(number)).all()


def counts(states: Iterable[str] = STATES, failed_since: datetime | None = None) -> dict[str, int]:
    """How many messages are in each of these states, counted to 10,001 at most; of the failed ones those since then."""
    rows = {state: select(Message.id).where(_in_state(state)) for state in states}
    if failed_since is not None:
        rows["failed"] = rows["failed"].where(Message.created_at >= failed_since)
    counted = db.session.execute(select(*(paging.capped_column(held) for held in rows.values()))).one()
    return dict(zip(rows, counted, strict=True))


def waiting() -> int:
    """How many messages wait, counted to 10,001 at most."""
    return paging.capped(select(Message.id).where(text(WAITING)))


def oldest_due(now: datetime) -> datetime | None:
    """Since when the message that waits longest has been due."""
    return db.session.scalar(select(func.min(Message.due_at)).where(text(WAITING), Message.due_at <= now))


def failed_again(ids: Collection[int] | None, filters: Filters) -> Select[tuple[int]]:
    """The failed messages among these; with None those that match and that another try may help: neither refused for
    good by a server nor come back."""
    failed = _narrowed(select(Message.id).outerjoin(Contact, Contact.id == Message.contact_id), filters).where(
        Message.state == "failed"
    )
    if ids is not None:
        return failed.where(Message.id.in_(possible(ids)))
    return failed.where(Message.bounced_at.is_(None), ~Message.answer.like("5%"))


def not_arrived(contact_id: int, since: datetime) -> list[Message]:
    """A contact's failed messages since then, the latest of each kind about each record, unless a newer one of that
    kind was written."""
    found = select(Message).where(Message.contact_id == contact_id, Message.created_at >= since)
    latest: dict[tuple[object, ...], Message] = {}
    for message in db.session.scalars(found.order_by(Message.id)):
        kind = TO_INVITED[0] if message.kind in TO_INVITED else message.kind
        latest[kind, message.about_kind, message.about_id] = message
    return [message for message in latest.values() if message.state == "failed"]


def undelivered(about: tuple[str, int], contact_id: int) -> bool:
    """Whether the latest invitation or reminder to a contact did not arrive: it failed, or came back."""
    found = select(Message.state).where(
        Message.about_kind == about[0],
        Message.about_id == about[1],
        Message.contact_id == contact_id,
        Message.kind.in_(TO_INVITED),
    )
    return db.session.scalar(found.order_by(Message.id.desc()).limit(1)) == "failed"


def room_today(staff_id: int | None, now: datetime) -> int | None:
    """How many more invitation mails may be written now under the daily caps, by this staff member (None: by nobody in
    particular, such as a workflow); None where no cap is set."""
    settings, room = site(), []
    written = select(func.count()).where(Message.created_at > now - DAY, Message.kind.in_(TO_INVITED))
    if settings.site_mails_per_day is not None:
        room.append(settings.site_mails_per_day - (db.session.scalar(written) or 0))
    if settings.staff_mails_per_day is not None and staff_id is not None:
        by_them = db.session.scalar(written.where(Message.created_by == staff_id)) or 0
        room.append(settings.staff_mails_per_day - by_them)
    return max(0, min(room)) if room else None


def tests_since(staff_id: int, since: datetime, kind: str) -> int:
    """How many test messages a staff member has asked for since then."""
    asked = (Message.created_at > since, Message.kind == kind, Message.staff_id == staff_id)
    return db.session.scalar(select(func.count()).where(*asked)) or 0


def _narrowed(found: Select[Any], filters: Filters) -> Select[Any]:
    if filters.state:
        found = found.where(_in_state(filters.state))
    if filters.kind:
        found = found.where(Message.kind == filters.kind)
    if filters.text:
        found = found.where(_matches(filters.text))
    if filters.contact_id is not None:
        found = found.where(Message.contact_id == filters.contact_id)
    if filters.invitation_id is not None:
        found = found.where(Message.about_kind == "invitation", Message.about_id == filters.invitation_id)
    return found


def _in_state(state: str) -> ColumnElement[bool]:
    return text(BOUNCED) if state == "bounced" else Message.state == state  # type: ignore[return-value]


def _matches(typed: str) -> ColumnElement[bool]:
    part = contains(fold(typed, 200))
    return or_(
        Contact.name_key.like(part, escape="\\"),
        Contact.email1_key.like(part, escape="\\"),
        func.lower(Message.to_address).like(part, escape="\\"),
    )
