"""What a contact's form holds, which of it is refused, and how it gets into the record."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.contacts import queries
from portal.contacts.models import Contact
from portal.kernel import addresses
from portal.kernel.errors import Invalid
from portal.kernel.names import fold, holds_link, visible
from portal.kernel.options import Option

LANGUAGES = ("en", "de", "fr", "es", "ar")
LONGEST_NAME, LONGEST_PHONE = 100, 50
SHOWN = 10


def labels() -> dict[str, str]:
    """What each field is called."""
    return {
        "first_name": _("First name"),
        "last_name": _("Last name"),
        "email1": _("Primary e-mail"),
        "email2": _("Second e-mail"),
        "email3": _("Third e-mail"),
        "phone": _("Phone"),
        "language": _("Language"),
        "account": _("Account"),
        "web_roles": _("Web roles"),
    }


def languages() -> dict[str, str]:
    """The languages that mail and pages may be in, by code."""
    names = (_("English"), _("German"), _("French"), _("Spanish"), _("Arabic"))
    return dict(zip(LANGUAGES, names, strict=True))


@dataclass(frozen=True)
class ContactValues:
    """What a contact's form holds. `create_anyway` accepts an address that another contact has already."""

    first_name: str = ""
    last_name: str = ""
    email1: str = ""
    email2: str = ""
    email3: str = ""
    phone: str = ""
    account_id: int | None = None
    language: str = "en"
    web_roles: tuple[int, ...] = ()
    create_anyway: bool = False


def values_of(contact: Contact) -> ContactValues:
    """What the record holds, its web roles left out."""
    return ContactValues(
        contact.first_name,
        contact.last_name,
        contact.email1 or "",
        contact.email2 or "",
        contact.email3 or "",
        contact.phone,
        contact.account_id,
        contact.language,
    )


def with_value(values: ContactValues, name: str, text: str) -> ContactValues:
    """The same with another text in one field. Raises TypeError for a field there is not."""
    changed: Any = {name: text}
    return replace(values, **changed)


class SameAddress(Invalid):
    """Other contacts have this primary address already; `contacts` are they, as a picker shows them."""

    def __init__(self, contacts: list[Option]) -> None:
        super().__init__({"email1": _("Another contact already has this address.")})
        self.contacts = contacts


def check(values: ContactValues) -> None:
    """Raises Invalid for anything in a contact's values that could not be kept."""
    faults: dict[str, str] = {}
    for field, text, most in (
        ("first_name", values.first_name, LONGEST_NAME),
        ("last_name", values.last_name, LONGEST_NAME),
        ("phone", values.phone, LONGEST_PHONE),
    ):
        if len(text) > most or visible(text) != text:
            faults[field] = _("Please use at most %(most)s plain characters.", most=most)
        elif field != "phone" and holds_link(text):
            faults[field] = _("Please enter a name without a web address.")
    for field in ("email1", "email2", "email3"):
        try:
            _parsed(getattr(values, field))
        except addresses.BadAddress:
            faults[field] = _("Please enter one e-mail address, such as anna@example.org.")
    if not (values.first_name.strip() or values.last_name.strip() or values.email1.strip()):
        faults["first_name"] = _("Please enter a name or a primary e-mail address.")
    if values.language not in LANGUAGES:
        faults["language"] = _("Please choose from the list.")
    if values.account_id is not None and accounts.find(values.account_id) is None:
        faults["account"] = _("This account no longer exists. Please choose again.")
    if faults:
        raise Invalid(faults)


def acceptable(name: str) -> bool:
    """Whether a part of a person's name could be kept; an empty one can."""
    return len(name) <= LONGEST_NAME and visible(name) == name and not holds_link(name)


def refuse_same_address(email1: str, but: int | None) -> None:
    """Raises SameAddress if a contact other than the one with the id `but` has this primary address."""
    key = key_of(email1)
    others = [contact.id for contact in queries.with_email(key) if contact.id != but] if key else []
    if others:
        raise SameAddress(queries.by_ids(others[:SHOWN]))


def fill(contact: Contact, values: ContactValues, now: datetime) -> None:
    """Put checked values into the record; a changed primary address is no longer proven."""
    key_before = contact.email1_key
    contact.first_name, contact.last_name = values.first_name, values.last_name
    contact.email1, contact.email2, contact.email3 = map(_parsed, (values.email1, values.email2, values.email3))
    contact.email1_key = key_of(values.email1)
    if contact.email1_key != key_before:
        contact.email1_verified_at = None
    contact.phone, contact.language, contact.account_id = values.phone, values.language, values.account_id
    contact.name_key = fold(f"{values.first_name} {values.last_name}", queries.LONGEST_KEY) or contact.email1_key or ""
    contact.updated_at = now


def key_of(typed: str) -> str | None:
    """The canonical form of a typed address, or None for an empty one. Raises BadAddress."""
    address = _parsed(typed)
    return addresses.canonical(address) if address else None


def _parsed(typed: str) -> str | None:
    return addresses.parse(typed) if typed.strip() else None
