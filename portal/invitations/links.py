"""Invitation links: the token mailed to one invited contact, and what a token leads to."""

from typing import NamedTuple

from sqlalchemy import select

from portal.contacts.models import Contact
from portal.invitations.models import Invitation, InvitedContact
from portal.kernel.addresses import canonical
from portal.kernel.db import db
from portal.kernel.secrets_ import digest, token_id
from portal.settings.queries import ring

PURPOSE = "invitation-link"


class Link(NamedTuple):
    """A genuine link: the invitation may be over, the contact may have left; that is for the caller to say."""

    invitation: Invitation
    contact: Contact
    genuine: bool = True


def token(invitation: Invitation, invited: InvitedContact, contact: Contact) -> str:
    """The token for this contact at their present address; it dies when address, code or recipient change."""
    return ring().token(invited.public_id, *_bound_to(invitation, contact))


def resolve(token: str) -> Link | None:
    """What a token leads to, or None when it was forged, altered, or made for an earlier address or code.

    At most one indexed query, and none for text that is no token at all.
    """
    public_id = token_id(token)
    if public_id is None:
        return None
    found = db.session.execute(
        select(Invitation, Contact)
        .join(InvitedContact, InvitedContact.invitation_id == Invitation.id)
        .join(Contact, Contact.id == InvitedContact.contact_id)
        .where(InvitedContact.public_id == public_id)
    ).one_or_none()
    if found is None:
        return None
    invitation, contact = found
    return Link(invitation, contact) if ring().verifies(token, *_bound_to(invitation, contact)) else None


def _bound_to(invitation: Invitation, contact: Contact) -> tuple[object, ...]:
    # The stored key of the address is its canonical form; a contact without an address has no link that verifies.
    address = contact.email1_key or (canonical(contact.email1) if contact.email1 else "")
    return (PURPOSE, invitation.id, contact.id, invitation.link_version, digest(address))
