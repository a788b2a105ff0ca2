"""What invitees answer: they decline, or take that back by redeeming."""

from datetime import datetime

from sqlalchemy import update

from portal.contacts.models import Contact
from portal.invitations import queries
from portal.invitations.models import Invitation, InvitationRequest, Redemption
from portal.invitations.queries import requests
from portal.invitations.services.telling import DECLINED, REDEEMED, tell_owner
from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.db import execute_dml
from portal.kernel.errors import NotFound

LONGEST_WORDS = 500


def decline(invitation: Invitation, contact: Contact, words: str, by: Actor, now: datetime) -> bool:
    """Note that an invited contact says no, under the lock of the invitation, and tell its owner.

    Code and link go on working: redeeming takes it back. False when they declined before; new words replace the old
    ones then, and nobody is told twice. Raises NotFound for somebody who is not invited.
    """
    invited = queries.invitee(invitation.id, contact.id)
    if invited is None:
        raise NotFound
    again = invited.declined_at is not None
    if words or not again:
        invited.declined_words = words[:LONGEST_WORDS]
    if again:
        return False
    invited.declined_at = now
    about = (Record("invitation", invitation.id, invitation.name), Record("contact", contact.id, contact.name))
    record("invitation.declined", *about, by=by, now=now, text=invited.declined_words)
    tell_owner(DECLINED, invitation, contact.id, now)
    return True


def answered(redemption: Redemption, invitation: Invitation, now: datetime) -> None:
    """A redemption settles what this contact answered before: a no is taken back, an open request needs no decision.
    The owner is told."""
    contact_id = redemption.contact_id
    invited = queries.invitee(invitation.id, contact_id)
    if invited is not None and invited.declined_at is not None:
        invited.declined_at, invited.declined_words = None, ""
    theirs = (InvitationRequest.invitation_id == invitation.id, InvitationRequest.contact_id == contact_id)
    settled = update(InvitationRequest).where(*theirs, requests.OPEN).values(decision="redeemed", decided_at=now)
    execute_dml(settled.execution_options(synchronize_session=False))
    tell_owner(REDEEMED, invitation, contact_id, now, redemption=redemption.id)
