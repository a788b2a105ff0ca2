"""What happened to the invitations of one owner within a while."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from portal.contacts.models import Contact
from portal.invitations.models import Invitation, InvitationRequest, InvitedContact, Redemption
from portal.invitations.queries.requests import OPEN
from portal.kernel.db import db

REDEEMED, DECLINED, REQUEST = "redeemed", "declined", "request"


class Line(NamedTuple):
    """One thing that happened."""

    at: datetime
    kind: str
    contact: str
    invitation: str


def between(owner_id: int, since: datetime, until: datetime, limit: int) -> list[Line]:
    """The redemptions, the declines and the requests that still stand, in their order; `until` itself is too late."""
    asked = _rows(InvitationRequest, InvitationRequest.asked_at, since, until).where(OPEN)
    declined = _rows(InvitedContact, InvitedContact.declined_at, since, until)
    redeemed = _rows(Redemption, Redemption.redeemed_at, since, until).where(Redemption.undone_at.is_(None))
    found = [
        Line(at, kind, contact.name, name)
        for kind, rows in ((REDEEMED, redeemed), (DECLINED, declined), (REQUEST, asked))
        for at, contact, name in db.session.execute(rows.where(Invitation.owner_id == owner_id).limit(limit))
    ]
    return sorted(found, key=lambda line: line.at)[:limit]


def _rows(model: Any, at: Any, since: datetime, until: datetime) -> Select[Any]:
    rows: Select[Any] = select(at, Contact, Invitation.name).select_from(model)
    joined = rows.join(Contact, Contact.id == model.contact_id).join(Invitation, Invitation.id == model.invitation_id)
    return joined.where(at >= since, at < until).order_by(at)
