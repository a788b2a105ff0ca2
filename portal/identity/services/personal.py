"""Everything the site knows of one contact, for them to take along; no secrets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import queries
from portal.journal import queries as journal
from portal.passkeys import queries as passkeys

OWN = ("first_name", "last_name", "email1", "email1_verified_at", "email2", "email3", "phone", "language", "created_at")


def data_of(contact: Contact, sessions: Sequence[Any], more: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What a contact downloads, as plain JSON. `sessions` are theirs, `more` what the slices above keep of them."""
    held = queries.credential(contact.id)
    account = accounts.find(contact.account_id) if contact.account_id else None
    everything: dict[str, Any] = _plain(
        {
            "made_at": now,
            "contact": _fields(contact, OWN),
            "account": account.name if account else None,
            "web_roles": contacts.role_names(contact.id),
            "sign_in": {
                "username": held.username if held else None,
                "password_set_at": held.password_set_at if held else None,
                "identities": [
                    _fields(one, ("caption", "email", "name", "created_at", "used_at"))
                    for one in queries.identities(contact.id)
                ],
                "passkeys": [
                    _fields(one, ("name", "created_at", "used_at")) for one in passkeys.of_contact(contact.id)
                ],
            },
            "sessions": [_fields(one, ("created_at", "seen_at", "ip", "user_agent")) for one in sessions],
            "remembered_browsers": [
                _fields(one, ("purpose", "created_at", "used_at", "expires_at", "ip", "user_agent"))
                for one in queries.remembered(contact.id, now)
            ],
            **more,
            "your_deeds": [
                _fields(one, ("at", "action", "text", "ip", "detail")) for one in journal.deeds("contact", contact.id)
            ],
        }
    )
    return everything


def _fields(record: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
