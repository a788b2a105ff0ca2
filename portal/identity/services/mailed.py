"""What is done by mail: a forgotten password, a confirmed address."""

from datetime import datetime, timedelta

import structlog
from flask_babel import gettext as _
from sqlalchemy import delete, update

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import links, queries
from portal.identity.models import ExternalIdentity, OneTimeLink, RememberedBrowser
from portal.identity.services.changing import mail_link, named, set_password
from portal.jobs import queue
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import execute_dml
from portal.kernel.errors import Gone
from portal.passkeys import queries as passkeys
from portal.passkeys.models import Passkey
from portal.settings.queries import site

log = structlog.get_logger("identity")
LINKS_PER_DAY = 5
DAY = timedelta(days=1)
RESET_JOB = "identity.reset"


def ask_reset(contact_id: int | None, now: datetime) -> None:
    """Ask for a reset link. Whoever was named, the same job goes in: whether there is an account, and whether its
    address is confirmed, is looked up later and shows in nothing that the asker sees."""
    queue.enqueue(RESET_JOB, {"contact_id": contact_id or 0}, now=now)


def send_reset(contact_id: int, now: datetime) -> None:
    """Mail a reset link to a contact who has a sign-in with a password; five a day at most. The address must be
    confirmed, unless the site's settings say otherwise."""
    contact = contacts.find(contact_id)
    if contact is None or not contact.active or contact.email1_key is None:
        return
    unproven = contact.email1_verified_at is None and site().reset_needs_confirmed_email
    if unproven or not (site().local_sign_in and site().password_reset) or queries.credential(contact_id) is None:
        return
    if queries.links_since(links.RESET, now - DAY, contact_id=contact_id) >= LINKS_PER_DAY:
        log.info("contact.reset_refused", contact=contact_id)
        return
    mail_link(contact, links.RESET, "reset-password", now)


def reset_password(link_id: int, purpose: str, password_hash: str, ip: str | None, now: datetime) -> Contact:
    """Set a password by a mailed link of the purpose RESET or SET, once. All sessions end. Raises NotFound or Gone."""
    link, contact = usable_link(link_id, purpose, now)
    contact = contacts.get(contact.id, lock=True)  # of two changes at once the second must see the first
    held = queries.credential(contact.id)
    if held is None or not _use(link, now):
        raise Gone(_("This link was used already."))
    _prove_mailbox(contact, purpose, now)
    set_password(held, contact, password_hash, now)
    record("credential.password-reset", named(contact), by=Actor("contact", contact.id, contact.name, ip), now=now)
    return contact


def _prove_mailbox(contact: Contact, purpose: str, now: datetime) -> None:
    """Whoever opened the link has the mailbox. If nobody had shown that before, what was linked to the sign-in may be
    somebody else's, who only typed the address (T07): a reset takes it away, and then the address is confirmed."""
    if contact.email1_verified_at is not None:
        return
    if purpose == links.RESET:
        for way in (ExternalIdentity, Passkey, RememberedBrowser):
            execute_dml(delete(way).where(way.contact_id == contact.id))
    elif queries.identities(contact.id) or passkeys.of_contact(contact.id):
        return
    if contact.email1_key and contacts.verified(contact.email1_key) is None:
        contact_services.verify_email(contact.id, now)


def ask_confirmation(contact: Contact, now: datetime) -> bool:
    """Mail a link that confirms the contact's address. False when there is nothing to confirm, or when five went
    to this address within a day, whoever claimed it: the site must not be a way to fill a stranger's mailbox."""
    if contact.email1_key is None or contact.email1_verified_at is not None:
        return False
    if queries.links_since(links.CONFIRM, now - DAY, email_key=contact.email1_key) >= LINKS_PER_DAY:
        return False
    mail_link(contact, links.CONFIRM, "confirm-email", now)
    return True


def confirm_email(link_id: int, ip: str | None, now: datetime) -> Contact:
    """Confirm the address a link was mailed to, once; never merges two contacts. Confirming again is no fault.

    Raises NotFound, Gone, or Conflict when another contact has the address confirmed.
    """
    link, contact = queries.opened_link(link_id, links.CONFIRM)
    if contact.email1_verified_at is not None:
        return contact
    living(link, now)
    contact_services.verify_email(contact.id, now)
    _use(link, now)
    record("contact.email-verified", named(contact), by=Actor("contact", contact.id, contact.name, ip), now=now)
    return contact


def usable_link(link_id: int, purpose: str, now: datetime) -> tuple[OneTimeLink, Contact]:
    """The link that this browser opened, and its contact. Raises NotFound, or Gone for one that was used or is over."""
    link, contact = queries.opened_link(link_id, purpose)
    living(link, now)
    return link, contact


def living(link: OneTimeLink, now: datetime) -> None:
    """Raise Gone for a link that was used, or whose time is over."""
    if link.used_at is not None:
        raise Gone(_("This link was used already."))
    if link.expires_at <= now:
        raise Gone(_("This link has expired."))


def _use(link: OneTimeLink, now: datetime) -> bool:
    """Mark a link used; False when another request was first."""
    unused = (OneTimeLink.id == link.id, OneTimeLink.used_at.is_(None))
    return execute_dml(update(OneTimeLink).where(*unused).values(used_at=now)) == 1
