"""What somebody with a mailed link may answer besides yes: no, or *please send me a new one*."""

from datetime import datetime

from portal.contacts.models import Contact
from portal.invitations import services as invitations
from portal.kernel.actor import Actor
from portal.redemption import pending, queries
from portal.redemption.pending import Intent
from portal.redemption.services.entering import reopened
from portal.redemption.services.refusing import refused
from portal.redemption.status import Reason


def decline(intent: Intent, person_id: int | None, words: str, *, ip: str | None, now: datetime) -> bool:
    """Decline, as the contact to whom the link was mailed; `person_id` is who is signed in, None for nobody.

    False when they had declined before. Raises Refused: the invitation is over, accepted, or somebody else is signed
    in; with a typed code always, for a code does not say whose it is.
    """
    opened, meant = _by_link(intent, now)
    if person_id not in (None, meant.id):
        raise refused(Reason.WRONG_PERSON, opened.invitation.id)
    if queries.redeemed(opened.invitation, meant):
        raise refused(Reason.ALREADY, opened.invitation.id)
    if opened.over is not None:
        raise refused(opened.over, opened.invitation.id)
    return invitations.decline(opened.invitation, meant, words, _actor(meant, ip), now)


def ask(intent: Intent, words: str, *, ip: str | None, now: datetime) -> bool:
    """Ask for a new invitation with a genuine link that is over. False when an earlier request waits still.

    Raises Refused where there is nothing to ask for: it works, or they accepted it; and what `requests.ask` raises.
    """
    opened, meant = _by_link(intent, now)
    if opened.over is None or queries.redeemed(opened.invitation, meant):
        raise refused(Reason.ALREADY, opened.invitation.id)
    return invitations.ask(opened.invitation, meant, opened.over.value, words, _actor(meant, ip), now)


def _by_link(intent: Intent, now: datetime) -> tuple[queries.Opened, Contact]:
    opened = reopened(intent, now)
    if intent.proof != pending.LINK or opened.meant is None:
        raise refused(Reason.NOT_INVITED, opened.invitation.id)
    return opened, opened.meant


def _actor(contact: Contact, ip: str | None) -> Actor:
    return Actor("contact", contact.id, contact.name, ip)
