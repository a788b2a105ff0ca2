"""The username and password of a contact: making them, checking them, changing them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import queries
from portal.identity.models import Credential
from portal.identity.queries import SignIn
from portal.identity.services.changing import named, set_password
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import LARGEST_ID, db, execute_dml
from portal.kernel.errors import Invalid
from portal.kernel.passwords import hash_password, needs_rehash, verify_password, weakness
from portal.settings.queries import site

FAILURES_UNTIL_STOP = 100


def check_password(password: str, words: Iterable[str]) -> None:
    """Refuse a new password that is easy to guess: raises Invalid for the field `password`."""
    fault = weakness(password, minimum=site().minimum_password_length, words=words)
    if fault:
        raise Invalid({"password": fault})


def check_new(username: str, password: str, words: Iterable[str], *, whose: int | None = None) -> None:
    """Refuse what a new sign-in may not have, before anything is hashed or written; the contact `whose` may have the
    username already, without a password. Raises Invalid."""
    faults = {}
    if queries.taken(username, but=whose):
        faults["username"] = _taken()
    fault = weakness(password, minimum=site().minimum_password_length, words=[username, *words])
    if fault:
        faults["password"] = fault
    if faults:
        raise Invalid(faults)


def create_sign_in(contact: Contact, username: str, password_hash: str, ip: str | None, now: datetime) -> None:
    """Give a contact who has no password one, with a username in place of any that staff gave them.

    Raises Invalid when the username is taken.
    """
    execute_dml(delete(Credential).where(Credential.contact_id == contact.id, Credential.password_hash.is_(None)))
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


def checked(found: SignIn | None, password: str) -> str | None:
    """The hash that the password was found to match, else None: nobody of that name, a wrong password, a
    deactivated contact, or too many failures in a row. Each takes one hash; never inside `transaction()`."""
    stopped = found is not None and site().lockout and found.failures >= FAILURES_UNTIL_STOP
    usable = found is not None and found.active and not stopped
    stored = found.password_hash if found is not None and usable else None
    return stored if verify_password(stored, password) else None


def renewed(stored: str, password: str) -> str | None:
    """A hash by today's parameters where the stored one is older; made before the transaction."""
    return hash_password(password) if needs_rehash(stored) else None


def sign_in_failed(found: SignIn | None, ip: str | None, now: datetime, *, limited: bool) -> None:
    """Count a failure against the account and note it. Where there is no such account the same statements run and
    find nothing to count; what was typed is not kept, for it may be a password."""
    contact = contacts.find(found.contact_id if found else LARGEST_ID)
    held = Credential.contact_id == (contact.id if contact else 0)
    execute_dml(update(Credential).where(held).values(failures=Credential.failures + 1))
    somebody = Actor("system", None, "", ip)
    for action in ("sign-in.failed", "sign-in.limited")[: 2 if limited else 1]:
        record(action, by=somebody, now=now, text=contact.name if contact else "")


def change_password(contact_id: int, stored: str, password_hash: str, by: Actor, now: datetime) -> Contact:
    """Set a new password in place of the one that was checked. All sessions end. Raises Invalid."""
    contact, held = contacts.get(contact_id, lock=True), queries.credential(contact_id)
    if held is None or held.password_hash != stored:
        raise Invalid({"current": _("The password was changed in the meantime. Please try again.")})
    set_password(held, contact, password_hash, now)
    record("credential.password-changed", named(contact), by=by, now=now)
    return contact


def _taken() -> str:
    return _("This username is taken. Please choose another one.")
