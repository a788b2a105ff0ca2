"""What a change to a sign-in entails: sessions and links end, the address is told, the journal names the contact."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import update

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import links
from portal.identity.models import Credential, OneTimeLink
from portal.journal.services import Record
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import NotFound
from portal.kernel.secrets_ import new_public_id
from portal.mail import outbox

log = structlog.get_logger("identity")
NOTICES = ("sign-in-changed", "password-changed")
NOTICES_PER_DAY = 10
DAY = timedelta(days=1)


def named(contact: Contact) -> Record:
    """The contact as the journal names it."""
    return Record("contact", contact.id, contact.name)


def end_sessions(contact: Contact, now: datetime) -> None:
    """End all sessions of a contact, who is locked, and with them a change of address that waits: whoever is shut out
    must not come back by an address that they asked for before."""
    contact.epoch += 1
    end_links(contact.id, now, links.CHANGE)


def set_password(held: Credential, contact: Contact, password_hash: str, now: datetime) -> None:
    """Another password, or a first one: all sessions end, all links that set one, and a change of address that waits;
    the address is told."""
    held.password_hash, held.password_set_at, held.failures, held.must_change = password_hash, now, 0, False
    end_sessions(contact, now)
    end_links(contact.id, now, links.RESET, links.SET)
    db.session.flush()
    _tell("password-changed", contact.id, now)


def mail_link(contact: Contact, purpose: str, kind: str, now: datetime) -> int:
    """Mail a one-time link of this purpose to the contact's address; gives its number. Raises NotFound where there
    is none."""
    if contact.email1_key is None:
        raise NotFound
    link = OneTimeLink(
        public_id=new_public_id(),
        contact_id=contact.id,
        purpose=purpose,
        email_key=contact.email1_key,
        created_at=now,
        expires_at=now + links.LIVES[purpose],
    )
    db.session.add(link)
    db.session.flush()
    outbox.enqueue(kind, now=now, contact_id=contact.id, detail={"link": link.id})
    return link.id


def notify(contact_id: int, what: str, now: datetime, **detail: str) -> None:
    """Tell the contact by mail that a way to sign in changed. `what`: identity-linked, identity-removed, passkey-added,
    passkey-removed, password-set, password-removed, username-changed, email-change-asked, email-changed, unlocked,
    signed-out. `detail`: one thing that the mail names, no secrets; and `to`, where that is not their present address.
    """
    _tell("sign-in-changed", contact_id, now, what=what, **detail)


def _tell(kind: str, contact_id: int, now: datetime, **detail: str) -> None:
    """Mail a notice; to an address that nobody proved only so many a day. It may be a stranger's, and the site must
    not be a way to fill their mailbox."""
    contact = contacts.get(contact_id)
    unproven = contact.email1_verified_at is None
    if unproven and outbox.asked_since(NOTICES, now - DAY, contact_id=contact_id) >= NOTICES_PER_DAY:
        log.info("contact.notice_refused", contact=contact_id, kind=kind)
        return
    outbox.enqueue(kind, now=now, contact_id=contact_id, detail=detail)


def end_links(contact_id: int, now: datetime, *purposes: str) -> None:
    """End the unused links of a contact: those of the purposes, else all."""
    unused = [OneTimeLink.contact_id == contact_id, OneTimeLink.used_at.is_(None)]
    if purposes:
        unused.append(OneTimeLink.purpose.in_(purposes))
    execute_dml(update(OneTimeLink).where(*unused).values(used_at=now))
