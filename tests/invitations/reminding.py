"""Invitations with a schedule of reminders, sent, and time passing; shared by the tests of reminders."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.contacts.models import Contact
from portal.email_templates.models import EmailTemplate
from portal.invitations import queries, services
from portal.invitations.models import Invitation
from portal.invitations.queries.values import stored
from portal.jobs import runner
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor
from tests.support import make

ONCE = {"after": [3]}


def acting(member: StaffMember) -> StaffActor:
    return StaffActor("staff", member.id, member.name, role=member.role)


def invited(*contacts: Contact, reminders: dict[str, list[int]] = ONCE, **more: Any) -> int:
    return make.make_invitation(*(contacts or (make.make_contact(),)), reminders=reminders, **more).id


def send(invitation_id: int, by: StaffActor, key: str = "k") -> None:
    """Send it, and let the mail arrive."""
    with transaction():
        services.send(invitation_id, key=key, by=by, now=clock.now())
    arrive()


def arrive() -> None:
    """A server takes all that waits and is due."""
    with transaction():
        due = db.update(Message).where(Message.state == "queued", Message.due_at <= clock.now())
        db.session.execute(due.values(state="sent", sent_at=clock.now()))


def work() -> None:
    """Do the jobs that are due."""
    db.session.rollback()
    while runner.turn("me", lambda: False):
        pass
    db.session.rollback()


def reminded(invitation_id: int = 0) -> list[Message]:
    """The reminders written so far."""
    db.session.rollback()
    found = db.select(Message).where(Message.kind == "reminder").order_by(Message.id)
    return [m for m in db.session.scalars(found) if not invitation_id or m.about_id == invitation_id]


def change(model: type[Any], record_id: Any, **values: Any) -> None:
    with transaction():
        record = db.session.get_one(model, record_id)
        for name, value in values.items():
            setattr(record, name, value)


def planned(invitation_id: int) -> list[datetime]:
    db.session.rollback()
    return [one.at for one in services.planned(queries.get(invitation_id), clock.now())]


def update(invitation_id: int, by: StaffActor, **values: Any) -> None:
    invitation = queries.get(invitation_id)
    version, new = invitation.version, replace(stored(invitation), **values)
    with transaction():
        services.update(invitation_id, new, version, by, clock.now())


def redeem(invitation_id: int, contact_id: int) -> None:
    make.make_redemption(db.session.get_one(Invitation, invitation_id), db.session.get_one(Contact, contact_id))


def bounce(contact_id: int) -> None:
    with transaction():
        every = db.update(Message).where(Message.contact_id == contact_id)
        db.session.execute(every.values(state="failed", bounced_at=clock.now()))


def template(**values: Any) -> None:
    with transaction():
        db.session.execute(db.update(EmailTemplate).where(EmailTemplate.key == "reminder").values(**values))


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
