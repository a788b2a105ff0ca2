"""What is done by mail: a forgotten password, a confirmed address."""

from datetime import datetime, timedelta

import structlog
from flask_babel import gettext as _
from sqlalchemy import update

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import links, queries
from portal.identity.models import OneTimeLink
from portal.identity.queries import SignIn
from portal.identity.services.changing import mail_link, named, set_password
from portal.jobs import queue
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import execute_dml
from portal.kernel.errors import Gone

log = structlog.get_logger("identity")
LINKS_PER_DAY = 5
DAY = timedelta(days=1)
RESET_JOB = "identity.reset"


def ask_reset(found: SignIn | None, now: datetime) -> None:
    """Ask for a reset link. Whoever was named, the same job goes in: whether there is an account, and whether its
    address is confirmed, is looked up later and shows in nothing that the asker sees."""
    queue.enqueue(RESET_JOB, {"contact_id": found.contact_id if found else 0}, now=now)


def send_reset(contact_id: int, now: datetime) -> None:
    """Mail a reset link to a contact who can sign in and whose address is confirmed; five a day at most."""
    contact = contacts.find(contact_id)
    if contact is None or not contact.active or contact.email1_verified_at is None:
        return
    if queries.credential(contact_id) is None:
        return
    if queries.links_since(links.RESET, now - DAY, contact_id=contact_id) >= LINKS_PER_DAY:
        log.info("contact.reset_refused", contact=contact_id)
        return
    mail_link(contact, links.RESET, "reset-password", now)


def reset_password(token: str, password_hash: str, ip: str | None, now: datetime) -> Contact:
    """Set a new password by a mailed link, once. All sessions end. Raises NotFound or Gone."""
    link, contact = usable_link(token, links.RESET, now)
    contact = contacts.get(contact.id, lock=True)  # of two changes at once the second must see the first
    held = queries.credential(contact.id)
    if held is None or not _use(link, now):
        raise Gone(_("This link was used already."))
    set_password(held, contact, password_hash, now)
    record("credential.password-reset", named(contact), by=Actor("contact", contact.id, contact.name, ip), now=now)
    return contact


def ask_confirmation(contact: Contact, now: datetime) -> bool:
    """Mail a link that confirms the contact's address. False when there is nothing to confirm, or when five went
    to this address within a day, whoever claimed it: the site must not be a way to fill a stranger's mailbox."""
    if contact.email1_key is None or contact.email1_verified_at is not None:
        return False
    if queries.links_since(links.CONFIRM, now - DAY, email_key=contact.email1_key) >= LINKS_PER_DAY:
        return False
    mail_link(contact, links.CONFIRM, "confirm-email", now)
    return True


def confirm_email(token: str, ip: str | None, now: datetime) -> Contact:
    """Confirm the address a link was mailed to, once; never merges two contacts. Confirming again is no fault.

    Raises NotFound, Gone, or Conflict when another contact has the address confirmed.
    """
    link, contact = queries.link(token, links.CONFIRM)
    if contact.email1_verified_at is not None:
        return contact
    link, contact = usable_link(token, links.CONFIRM, now)
    contact_services.verify_email(contact.id, now)
    _use(link, now)
    record("contact.email-verified", named(contact), by=Actor("contact", contact.id, contact.name, ip), now=now)
    return contact


def usable_link(token: str, purpose: str, now: datetime) -> tuple[OneTimeLink, Contact]:
    """The unused, living link of a token, and its contact. Raises NotFound for a forged one, Gone for an old one."""
    link, contact = queries.link(token, purpose)
    if link.used_at is not None:
        raise Gone(_("This link was used already."))
    if link.expires_at <= now:
        raise Gone(_("This link has expired."))
    return link, contact


def _use(link: OneTimeLink, now: datetime) -> bool:
    """Mark a link used; False when another request was first."""
    unused = (OneTimeLink.id == link.id, OneTimeLink.used_at.is_(None))
    return execute_dml(update(OneTimeLink).where(*unused).values(used_at=now)) == 1
