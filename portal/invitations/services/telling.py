"""Telling the owner of an invitation what became of it: at once, once a day, or not at all, as they chose."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import select, update

from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.notices import NONE
from portal.journal.services import Record, record
from portal.kernel.db import db, execute_dml, load
from portal.kernel.errors import Invalid
from portal.mail import outbox
from portal.mail.models import Message
from portal.settings.queries import site
from portal.staff import queries as staff
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor

AT_ONCE, DAILY = "at_once", "daily"
CHOICES = (AT_ONCE, DAILY, NONE)
REDEEMED, DECLINED, REQUEST, DIGEST = "redeemed", "declined", "request", "digest"
DIGEST_AT = time(8)
# What happens while the digest is being written belongs to the next one, so that nothing falls between two.
MARGIN = timedelta(minutes=1)


def tell_owner(kind: str, invitation: Invitation, contact_id: int, now: datetime, **detail: Any) -> None:
    """Put the notice into the outbox, or let the owner's next digest tell it.

    A digest is one message, queued by the first thing it has to tell: on a day without any there is none.
    """
    owner = load(StaffMember, invitation.owner_id)
    if owner is None or not owner.active or owner.notices == NONE:
        return
    if owner.notices == DAILY:
        due = digest_due(now, site().zone)
        digest = outbox.enqueue(
            DIGEST,
            now=now,
            staff_id=owner.id,
            detail={"until": (due - MARGIN).isoformat()},
            dedupe_key=f"{DIGEST}:{owner.id}:{due.isoformat()}",
            due_at=due,
        )
        # It tells what happened from its making on; one that was made at the same time may be of a moment later.
        earlier = update(Message).where(Message.id == digest.id, Message.created_at > now).values(created_at=now)
        execute_dml(earlier)
        return
    about = (queries.KIND, invitation.id)
    # Not as the contact's message: on their pages it would pass for one that they got.
    outbox.enqueue(kind, now=now, staff_id=owner.id, about=about, detail={"contact": contact_id, **detail})


def digest_due(now: datetime, zone: ZoneInfo) -> datetime:
    """When what happens now is told in a digest: at the next eight o'clock in `zone`."""
    soonest = now + MARGIN
    day = soonest.astimezone(zone).date()
    due = datetime.combine(day, DIGEST_AT, tzinfo=zone)
    if due <= soonest:
        due = datetime.combine(day + timedelta(days=1), DIGEST_AT, tzinfo=zone)
    return due.astimezone(now.tzinfo)


def choose_notices(choice: str, by: StaffActor, now: datetime) -> bool:
    """How this person hears of their invitations from now on; False when that is as it was. What a digest has gathered
    so far goes out now, unless they want none. Raises Invalid."""
    if choice not in CHOICES:
        raise Invalid({"notices": _("Please choose from the list.")})
    me = staff.get(by.id, lock=True)
    if me.notices == choice:
        return False
    before, me.notices = me.notices, choice
    mine = (Message.kind == DIGEST, Message.staff_id == me.id, Message.state == "queued", Message.due_at > now)
    for message in db.session.scalars(select(Message).where(*mine).with_for_update()):
        message.dedupe_key = None  # they may come back to daily before this one's day
        message.detail, message.due_at = {"until": now.isoformat()}, now
    changes = {"notices": [before, choice]}
    record("staff.changed", Record("staff", me.id, me.name), by=by, now=now, detail={"changes": changes})
    return True
