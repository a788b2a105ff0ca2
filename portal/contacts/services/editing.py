"""Creating and changing contacts."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import delete

from portal.accounts import queries as accounts
from portal.contacts import queries
from portal.contacts.models import Contact, ContactWebRole
from portal.contacts.services.standing import about, give
from portal.contacts.services.values import ContactValues, check, fill, key_of, refuse_same_address
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Invalid, Stale
from portal.roles import queries as roles
from portal.roles.services import check_grant
from portal.staff.permissions import StaffActor, may_grant

FIELDS = ("first_name", "last_name", "email1", "email2", "email3", "phone", "language")


created: list[Callable[[int, datetime], object]] = []
"""Who is told, inside the transaction, that there is a new contact; filled by the composition root."""


def create(values: ContactValues, by: StaffActor, now: datetime) -> Contact:
    """A new contact. Raises Invalid, SameAddress, or Forbidden for a web role that `by` may not give."""
    check(values)
    check_grant(values.web_roles, by.role)
    if not values.create_anyway:
        refuse_same_address(values.email1, None)
    contact = Contact(created_at=now)
    fill(contact, values, now)
    db.session.add(contact)
    db.session.flush()
    give(contact, values.web_roles, now)
    detail = {"web_roles": [role.name for role in roles.by_ids(values.web_roles)]} if values.web_roles else {}
    record("contact.created", *about(contact, contact.account_id), by=by, now=now, detail=detail)
    _tell(contact, now)
    return contact


def register(first_name: str, last_name: str, email: str, language: str, by: Actor, now: datetime) -> Contact:
    """A new contact that signs itself up, whoever else has the address; its address is not proven by that.

    Raises Invalid; its message about the address is under `email`.
    """
    values = ContactValues(first_name, last_name, email, language=language)
    try:
        check(values)
    except Invalid as fault:
        raise Invalid({"email" if name == "email1" else name: text for name, text in fault.fields.items()}) from fault
    contact = Contact(created_at=now)
    fill(contact, values, now)
    db.session.add(contact)
    db.session.flush()
    record("contact.registered", *about(contact), by=by, now=now)
    _tell(contact, now)
    return contact


def update(contact_id: int, values: ContactValues, version: int, by: StaffActor, now: datetime) -> Contact:
    """Change a contact that still has this version; web roles that `by` may not give stay as they are.

    A changed primary address is no longer proven. Raises NotFound, Stale, Invalid, SameAddress or Forbidden.
    """
    contact = queries.get(contact_id, lock=True)
    if contact.version != version:
        raise Stale
    check(values)
    check_grant(values.web_roles, by.role)
    if key_of(values.email1) != contact.email1_key and not values.create_anyway:
        refuse_same_address(values.email1, contact.id)
    before, account_before = _facts(contact), contact.account_id
    fill(contact, values, now)
    _replace_roles(contact, values.web_roles, by, now)
    after = _facts(contact)
    changes = {field: [before[field], after[field]] for field in before if before[field] != after[field]}
    if contact.account_id != account_before:
        changes["account"] = [before["account"], after["account"]]  # two accounts may have the same name
    if not changes:
        return contact
    contact.version += 1
    concerned = about(contact, *((account_before, contact.account_id) if "account" in changes else ()))
    record("contact.updated", *concerned, by=by, now=now, detail={"changes": changes})
    return contact


def _tell(contact: Contact, now: datetime) -> None:
    for hear in created:
        hear(contact.id, now)


def _replace_roles(contact: Contact, posted: tuple[int, ...], by: StaffActor, now: datetime) -> None:
    """Make the grantable ones of the contact's web roles those that were posted."""
    for role in queries.web_roles(contact.id):
        if role.id not in posted and may_grant(by.role, managers_may_grant=role.managers_may_grant):
            execute_dml(
                delete(ContactWebRole).where(
                    ContactWebRole.contact_id == contact.id, ContactWebRole.web_role_id == role.id
                )
            )
    give(contact, posted, now)


def _facts(contact: Contact) -> dict[str, Any]:
    """What the journal compares: fields as they are, account and web roles by name."""
    account = accounts.find(contact.account_id) if contact.account_id else None
    return {
        **{field: getattr(contact, field) or "" for field in FIELDS},
        "account": account.name if account else "",
        "web_roles": [role.name for role in queries.web_roles(contact.id)],
    }
