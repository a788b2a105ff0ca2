"""What a contact changes of their own record: the name, the language, a proven address."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from portal.contacts import queries
from portal.contacts.models import Contact
from portal.contacts.services.standing import about
from portal.contacts.services.values import ContactValues, check, fill, key_of
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Stale

OWN = ("first_name", "last_name", "language")


def present(contact_id: int, names: Mapping[str, Any], version: int, by: Actor, now: datetime) -> Contact:
    """Change how a contact is called and in which language they are written to: the fields of `OWN`.

    Raises Stale when the record has another version, Invalid.
    """
    contact = queries.get(contact_id, lock=True)
    if contact.version != version:
        raise Stale
    before = {field: getattr(contact, field) for field in OWN}
    values = replace(_values(contact), **names)
    check(values)
    fill(contact, values, now)
    changes = {field: [before[field], getattr(contact, field)] for field in OWN if before[field] != names[field]}
    if changes:
        contact.version += 1
        record("contact.updated", *about(contact), by=by, now=now, detail={"changes": changes})
    return contact


def move_to(contact_id: int, email: str, by: Actor, now: datetime) -> Contact:
    """Make `email`, which the contact has just proven, their primary address.

    Raises Conflict when another contact has proven it.
    """
    taken = Conflict(_("Another person has confirmed this address already."))
    contact = queries.get(contact_id, lock=True)
    other = queries.verified(key_of(email) or "")
    if other is not None and other.id != contact.id:
        raise taken
    before = contact.email1 or ""
    fill(contact, replace(_values(contact), email1=email), now)
    contact.email1_verified_at = now
    contact.version += 1
    try:
        db.session.flush()
    except IntegrityError as fault:  # the other one proved it at this moment
        raise taken from fault
    record("contact.email-changed", *about(contact), by=by, now=now, detail={"changes": {"email1": [before, email]}})
    return contact


def _values(contact: Contact) -> ContactValues:
    plain: dict[str, Any] = {field: getattr(contact, field) for field in (*OWN, "phone", "account_id")}
    addresses: dict[str, Any] = {field: getattr(contact, field) or "" for field in ("email1", "email2", "email3")}
    return ContactValues(**plain, **addresses)
