"""What changes how a contact signs in: the credential, password reset, e-mail confirmation."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask_babel import gettext as _
from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import links, queries
from portal.identity.models import Credential, OneTimeLink
from portal.identity.queries import SignIn
from portal.jobs import queue
from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.db import LARGEST_ID, db, execute_dml
from portal.kernel.errors import Gone, Invalid, NotFound
from portal.kernel.passwords import hash_password, needs_rehash, verify_password, weakness
from portal.kernel.secrets_ import new_public_id
from portal.mail import outbox

log = structlog.get_logger("identity")
FAILURES_UNTIL_STOP = 100
LINKS_PER_DAY = 5
DAY = timedelta(days=1)
RESET_JOB = "identity.reset"


def check_password(password: str, words: Iterable[str]) -> None:
    """Refuse a new password that is easy to guess: raises Invalid for the field `password`."""
    fault = weakness(password, words=words)
    if fault:
        raise Invalid({"password": fault})


def check_new(username: str, password: str, words: Iterable[str]) -> None:
    """Refuse what a new sign-in may not have, before anything is hashed or written. Raises Invalid."""
    faults = {}
    if queries.taken(username):
        faults["username"] = _taken()
    fault = weakness(password, words=[username, *words])
    if fault:
        faults["password"] = fault
    if faults:
        raise Invalid(faults)


def create_sign_in(contact: Contact, username: str, password_hash: str, ip: str | None, now: datetime) -> None:
    """Give a contact who has none a username and a password. Raises Invalid when the username is taken."""
    values = {
        "contact_id": contact.id,
        "username": username,
        "username_key": queries.username_key(username),
        "password_hash": password_hash,
        "password_set_at": now,
        "failures": 0,
    }
    # Two people may ask for one username at once; on PostgreSQL a violated constraint would end the transaction.
    dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    inserting = dialect.insert(Credential).values(**values).on_conflict_do_nothing().returning(Credential.contact_id)
    if db.session.scalar(inserting) is None:
        raise Invalid({"username": _taken()})
    by = Actor("contact", contact.id, contact.name, ip)
    record("credential.created", named(contact), by=by, now=now, detail={"username": username})


def replace_sign_in(contact: Contact, ip: str | None, now: datetime) -> None:
    """Take away a sign-in made by somebody who never proved the address, for the one who did (DECISIONS 3).

    The earlier password, all sessions and all unused links go; the address is told.
    """
    existing = queries.credential(contact.id)
    if existing is None:
        return
    username = existing.username
    db.session.delete(existing)
    contact.epoch += 1
    _end_links(contact.id, now)
    db.session.flush()
    outbox.enqueue("sign-in-replaced", now=now, contact_id=contact.id)
    by = Actor("contact", contact.id, contact.name, ip)
    text = _("Replaced by the person who came by the mailed link; its e-mail address was never confirmed.")
    record("credential.removed", named(contact), by=by, now=now, text=text, detail={"username": username})


def checked(found: SignIn | None, password: str) -> str | None:
    """The hash that the password was found to match, else None: nobody of that name, a wrong password, a
    deactivated contact, or too many failures in a row. Each takes one hash; never inside `transaction()`."""
    usable = found is not None and found.active and found.failures < FAILURES_UNTIL_STOP
    stored = found.password_hash if found is not None and usable else None
    return stored if verify_password(stored, password) else None


def renewed(stored: str, password: str) -> str | None:
    """A hash by today's parameters where the stored one is older; made before the transaction."""
    return hash_password(password) if needs_rehash(stored) else None


def signed_in(contact_id: int, stored: str, rehashed: str | None, ip: str | None, now: datetime) -> int | None:
    """Note a successful sign-in and give the epoch that its session belongs to. None when the password was changed,
    or the contact deactivated, in between."""
    contact = contacts.find(contact_id)
    held = (Credential.contact_id == contact_id, Credential.password_hash == stored)
    noting = update(Credential).where(*held).values(failures=0, password_hash=rehashed or stored)
    if contact is None or not contact.active:
        return None
    epoch = contact.epoch  # read before the row is locked: a new password that comes next ends this session too
    if execute_dml(noting) != 1:
        return None
    record("sign-in.ok", named(contact), by=Actor("contact", contact_id, contact.name, ip), now=now)
    return epoch


def sign_in_failed(found: SignIn | None, ip: str | None, now: datetime, *, limited: bool) -> None:
    """Count a failure against the account and note it. Where there is no such account the same statements run and
    find nothing to count; what was typed is not kept, for it may be a password."""
    contact = contacts.find(found.contact_id if found else LARGEST_ID)
    held = Credential.contact_id == (contact.id if contact else 0)
    execute_dml(update(Credential).where(held).values(failures=Credential.failures + 1))
    somebody = Actor("system", None, "", ip)
    for action in ("sign-in.failed", "sign-in.limited")[: 2 if limited else 1]:
        record(action, by=somebody, now=now, text=contact.name if contact else "")


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
    _mail_link(contact, links.RESET, "reset-password", now)


def reset_password(token: str, password_hash: str, ip: str | None, now: datetime) -> Contact:
    """Set a new password by a mailed link, once. All sessions end. Raises NotFound or Gone."""
    link, contact = usable_link(token, links.RESET, now)
    contact = contacts.get(contact.id, lock=True)  # of two changes at once the second must see the first
    held = queries.credential(contact.id)
    if held is None or not _use(link, now):
        raise Gone(_("This link was used already."))
    _set_password(held, contact, password_hash, now)
    record("credential.password-reset", named(contact), by=Actor("contact", contact.id, contact.name, ip), now=now)
    return contact


def change_password(contact_id: int, stored: str, password_hash: str, by: Actor, now: datetime) -> Contact:
    """Set a new password in place of the one that was checked. All sessions end. Raises Invalid."""
    contact, held = contacts.get(contact_id, lock=True), queries.credential(contact_id)
    if held is None or held.password_hash != stored:
        raise Invalid({"current": _("The password was changed in the meantime. Please try again.")})
    _set_password(held, contact, password_hash, now)
    record("credential.password-changed", named(contact), by=by, now=now)
    return contact


def ask_confirmation(contact: Contact, now: datetime) -> bool:
    """Mail a link that confirms the contact's address. False when there is nothing to confirm, or when five went
    to this address within a day, whoever claimed it: the site must not be a way to fill a stranger's mailbox."""
    if contact.email1_key is None or contact.email1_verified_at is not None:
        return False
    if queries.links_since(links.CONFIRM, now - DAY, email_key=contact.email1_key) >= LINKS_PER_DAY:
        return False
    _mail_link(contact, links.CONFIRM, "confirm-email", now)
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


def named(contact: Contact) -> Record:
    """The contact as the journal names it."""
    return Record("contact", contact.id, contact.name)


def _taken() -> str:
    return _("This username is taken. Please choose another one.")


def _set_password(held: Credential, contact: Contact, password_hash: str, now: datetime) -> None:
    held.password_hash, held.password_set_at, held.failures = password_hash, now, 0
    contact.epoch += 1
    _end_links(contact.id, now, links.RESET)
    db.session.flush()
    outbox.enqueue("password-changed", now=now, contact_id=contact.id)


def _mail_link(contact: Contact, purpose: str, kind: str, now: datetime) -> None:
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


def _use(link: OneTimeLink, now: datetime) -> bool:
    """Mark a link used; False when another request was first."""
    unused = (OneTimeLink.id == link.id, OneTimeLink.used_at.is_(None))
    return execute_dml(update(OneTimeLink).where(*unused).values(used_at=now)) == 1


def _end_links(contact_id: int, now: datetime, *purposes: str) -> None:
    unused = [OneTimeLink.contact_id == contact_id, OneTimeLink.used_at.is_(None)]
    if purposes:
        unused.append(OneTimeLink.purpose.in_(purposes))
    execute_dml(update(OneTimeLink).where(*unused).values(used_at=now))
