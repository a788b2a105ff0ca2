"""The ways into an invitation: accepting as who is signed in, or making a way to sign in and redeeming with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import services as identity
from portal.invitations import queries as invitations
from portal.invitations.models import Redemption
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.redemption import pending, queries
from portal.redemption.pending import Intent
from portal.redemption.services.redeeming import redeem
from portal.redemption.services.refusing import refused
from portal.redemption.status import Reason, Standing

BY_PASSWORD, BY_PASSKEY = "password", "passkey"  # (how somebody signed in, not a secret)
REFUSES = {
    Standing.WRONG_PERSON: Reason.WRONG_PERSON,
    Standing.NOT_INVITED: Reason.NOT_INVITED,
    Standing.USE_LINK: Reason.NOT_INVITED,
    Standing.SIGN_IN: Reason.HAS_SIGN_IN,
}
Give = Callable[[Contact], None]
"""Makes a contact's new way to sign in: password, identity at a provider, passkey. Raises Invalid or Conflict."""


@dataclass(frozen=True)
class NewPerson:
    """What somebody said of themselves. It counts for a new contact only: an invited one keeps its own."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    language: str = "en"
    otherwise: str = ""
    """How to call them where they gave no name."""


def accept(intent: Intent, contact_id: int, *, by: str, ip: str | None, now: datetime) -> Redemption:
    """Redeem as the contact who is signed in, `by` such as `password`, `passkey` or `provider:github`. The same contact
    again gets the redemption there is. Raises Refused."""
    opened = reopened(intent, now)
    standing = queries.stands(opened, contacts.get(contact_id))
    if standing in REFUSES:
        raise refused(REFUSES[standing], opened.invitation.id)
    by_link = intent.proof == pending.LINK and contact_id == intent.contact_id
    proof = pending.LINK if by_link else pending.CODE
    return redeem(opened.invitation.id, contact_id, proof=proof, signed_in_by=by, ip=ip, now=now)


def enter(intent: Intent, new: NewPerson, give: Give, *, by: str, ip: str | None, now: datetime) -> Contact:
    """Make a way to sign in and redeem with it: onto the invited contact's own record where the proof names one, else
    for a new contact. Raises Refused and what `give` raises, and then there is neither contact nor sign-in."""
    opened = reopened(intent, now)
    standing = queries.stands(opened, None)
    if _redeemed_before(opened, standing):
        raise refused(Reason.ALREADY, opened.invitation.id)
    if standing in REFUSES:
        raise refused(REFUSES[standing], opened.invitation.id)
    if standing is Standing.REPLACE and opened.meant is not None:
        identity.replace_sign_in(opened.meant, ip, now)
    if opened.meant is not None:
        opened.meant.epoch += 1  # nothing that an earlier sign-in of theirs left behind goes on beside this one
    contact = opened.meant or _register(new, ip, now)
    if intent.proof == pending.CODE and contact.email1_verified_at is not None:
        # Whoever claims a record by the code alone has not shown that its address is theirs.
        contact.email1_verified_at = None
        db.session.flush()
    give(contact)
    redeem(
        opened.invitation.id,
        contact.id,
        proof=intent.proof,
        signed_in_by=by,
        ip=ip,
        now=now,
        new_contact=opened.meant is None,
    )
    return contact


def register(new: NewPerson, give: Give, *, ip: str | None, now: datetime) -> Contact:
    """A new contact without any invitation (open registration); a mail asks to confirm the address. Raises what
    `give` raises."""
    contact = _register(new, ip, now)
    give(contact)
    identity.ask_confirmation(contact, now)
    return contact


def reopened(intent: Intent, now: datetime) -> queries.Opened:
    """What the intent means inside the transaction that redeems it. Raises Refused when it means nothing any more."""
    # Locked first: whoever else wants this invitation waits here, and nobody holds its contact meanwhile.
    opened = queries.opened(intent, now, lock=True)
    if opened is None:
        raise refused(Reason.CHANGED, intent.invitation_id)
    return opened


def _redeemed_before(opened: queries.Opened, standing: Standing) -> bool:
    """Whether the contact accepted it already. What somebody without the mailbox accepted in their name, by a code,
    does not keep them from taking over the sign-in while the invitation lives (DECISIONS 3)."""
    meant = opened.meant
    before = invitations.redemption(opened.invitation.id, meant.id) if meant else None
    theirs = before is None or before.proof == pending.LINK or opened.over is not None
    return before is not None and (theirs or standing is not Standing.REPLACE)


def _register(new: NewPerson, ip: str | None, now: datetime) -> Contact:
    name = f"{new.first_name} {new.last_name}".strip() or new.otherwise
    by = Actor("contact", None, name, ip)
    return contact_services.register(new.first_name, new.last_name, new.email, new.language, by, now)
