"""Who asked for a new invitation, because their link is over."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, exists, or_, select, text

from portal.contacts.models import Contact
from portal.invitations.models import Invitation, InvitationRequest, InvitedContact
from portal.kernel import paging
from portal.kernel.db import contains, db, load
from portal.kernel.errors import NotFound
from portal.kernel.names import fold

# Spelled out, not bound: only then does SQLite see that the index over just these rows fits.
OPEN = text("invitation_request.decision = ''")
SHOWN = 20


class Asked(NamedTuple):
    """An open request, whose it is, the invitation that is over, and whether that still invites them."""

    request: InvitationRequest
    contact: Contact
    invitation: Invitation
    invited: bool


def get(request_id: int, *, lock: bool = False) -> InvitationRequest:
    """The request; with `lock` nobody else decides it before this transaction ends. Raises NotFound."""
    found = load(InvitationRequest, request_id, lock=lock)
    if found is None:
        raise NotFound
    return found


def latest(invitation_id: int, contact_id: int) -> InvitationRequest | None:
    """The last time this contact asked because of this invitation."""
    theirs = select(InvitationRequest).where(
        InvitationRequest.contact_id == contact_id, InvitationRequest.invitation_id == invitation_id
    )
    return db.session.scalars(theirs.order_by(InvitationRequest.id.desc()).limit(1)).first()


def asked_since(contact_id: int, since: datetime) -> list[datetime]:
    """When this contact asked after `since`, for whatever invitation, the earliest first."""
    times = select(InvitationRequest.asked_at).where(
        InvitationRequest.contact_id == contact_id, InvitationRequest.asked_at > since
    )
    return list(db.session.scalars(times.order_by(InvitationRequest.asked_at)))


def open_ids() -> Select[Any]:
    """The open requests, to be counted."""
    return select(InvitationRequest.id).where(OPEN)


def of_invitation(invitation_id: int) -> list[Asked]:
    """The open requests for one invitation, the oldest first."""
    rows = _open().where(InvitationRequest.invitation_id == invitation_id).order_by(InvitationRequest.id)
    return [Asked(*row) for row in db.session.execute(rows.limit(SHOWN))]


def page(words: str, after: str) -> paging.Page[Asked]:
    """A page of the open requests, the oldest first; `after` is the cursor of the page before."""
    reached = paging.keys(after, int)
    rows = _open()
    if reached:
        rows = rows.where(InvitationRequest.id > reached[0])
    for word in words.split():
        like = contains(fold(word, 200))
        rows = rows.where(
            or_(
                Contact.name_key.like(like, escape="\\"),
                Contact.email1_key.like(like, escape="\\"),
                Invitation.name_key.like(like, escape="\\"),
            )
        )
    found = [Asked(*row) for row in db.session.execute(rows.order_by(InvitationRequest.id).limit(paging.PAGE_SIZE + 1))]
    return paging.page(found, lambda asked: (asked.request.id,))


def _open() -> Select[Any]:
    invited = exists().where(
        InvitedContact.invitation_id == InvitationRequest.invitation_id,
        InvitedContact.contact_id == InvitationRequest.contact_id,
    )
    columns: tuple[Any, ...] = (InvitationRequest, Contact, Invitation, invited.label("invited"))
    joined: Select[Any] = select(*columns).join(Contact, Contact.id == InvitationRequest.contact_id)
    return joined.join(Invitation, Invitation.id == InvitationRequest.invitation_id).where(OPEN)
