"""What becomes of a contact besides editing: in or out, roles and account given, address proven."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from portal.accounts import queries as accounts
from portal.contacts import queries
from portal.contacts.models import Contact, ContactWebRole
from portal.contacts.services.values import check, fill, values_of, with_value
from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict


def deactivate(contact_id: int, by: Actor, now: datetime) -> None:
    """Keep a contact out: their sessions end, they cannot sign in or redeem. Nothing happens if they are out."""
    contact = queries.get(contact_id, lock=True)
    if not contact.active:
        return
    contact.active = False
    contact.epoch += 1
    _touch(contact, now)
    record("contact.deactivated", *about(contact), by=by, now=now)


def activate(contact_id: int, by: Actor, now: datetime) -> None:
    """Let a contact in again. Nothing happens if they are in."""
    contact = queries.get(contact_id, lock=True)
    if contact.active:
        return
    contact.active = True
    _touch(contact, now)
    record("contact.activated", *about(contact), by=by, now=now)


def add_roles(contact_id: int, role_ids: Iterable[int], now: datetime) -> list[int]:
    """Give web roles and say which of them are new; two at once give each role once. The caller keeps the journal."""
    contact = queries.get(contact_id, lock=True)
    added = give(contact, role_ids, now)
    if added:
        _touch(contact, now)
    return added


def remove_roles(contact_id: int, role_ids: Iterable[int], now: datetime) -> list[int]:
    """Take web roles away and say which of them were held. The caller keeps the journal."""
    contact = queries.get(contact_id, lock=True)
    held = (ContactWebRole.contact_id == contact.id, ContactWebRole.web_role_id.in_(list(role_ids)))
    gone = list(db.session.scalars(delete(ContactWebRole).where(*held).returning(ContactWebRole.web_role_id)))
    if gone:
        _touch(contact, now)
    return sorted(gone)


def set_field(contact_id: int, name: str, value: str, now: datetime) -> str:
    """Set a plain field, such as `phone`; gives what it held before. Raises Invalid; the caller keeps the journal."""
    contact = queries.get(contact_id, lock=True)
    held = values_of(contact)
    before, values = str(getattr(held, name)), with_value(held, name, value)
    check(values)
    if before != value:
        fill(contact, values, now)
        _touch(contact, now)
    return before


def assign_account(contact_id: int, account_id: int | None, now: datetime) -> int | None:
    """Put a contact under an account and say under which it was before. The caller keeps the journal."""
    contact = queries.get(contact_id, lock=True)
    before = contact.account_id
    if before != account_id:
        contact.account_id = account_id
        _touch(contact, now)
    return before


def verify_email(contact_id: int, now: datetime) -> None:
    """Note that the contact has proven its primary address. Raises Conflict if another contact has.

    The caller keeps the journal.
    """
    taken = Conflict(_("Another person has confirmed this address already."))
    contact = queries.get(contact_id, lock=True)
    if contact.email1_verified_at is not None:
        return
    if contact.email1_key is None:
        raise Conflict(_("There is no address to confirm."))
    if queries.verified(contact.email1_key) is not None:
        raise taken
    contact.email1_verified_at = now
    try:
        db.session.flush()
    except IntegrityError as fault:  # the other one did so at this moment
        raise taken from fault


def give(contact: Contact, role_ids: Iterable[int], now: datetime) -> list[int]:
    """Give web roles to a locked contact; says which are new."""
    rows = [{"contact_id": contact.id, "web_role_id": number, "granted_at": now} for number in dict.fromkeys(role_ids)]
    if not rows:
        return []
    dialect: Any = postgresql if db.session.connection().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(ContactWebRole).values(rows).on_conflict_do_nothing()
    return sorted(db.session.scalars(statement.returning(ContactWebRole.web_role_id)))


def about(contact: Contact, *account_ids: int | None) -> list[Record]:
    """The records on whose timelines a contact's deed stands: the contact and the accounts concerned."""
    names = accounts.names(account_ids)
    return [Record("contact", contact.id, contact.name), *(Record("account", *pair) for pair in names.items())]


def _touch(contact: Contact, now: datetime) -> None:
    """A form that was opened before is stale now."""
    contact.version += 1
    contact.updated_at = now
