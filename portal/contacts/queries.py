"""Reading contacts."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, func, or_, select, tuple_

from portal.accounts.models import Account
from portal.contacts.models import Contact, ContactWebRole
from portal.kernel import addresses, paging
from portal.kernel.db import contains, db, load, possible
from portal.kernel.errors import NotFound
from portal.kernel.names import fold, searchable
from portal.kernel.options import Option
from portal.roles import queries as roles
from portal.roles.models import WebRole

OFFERED = 20
LONGEST_KEY = 260
NAMED = (Contact.id, Contact.first_name, Contact.last_name, Contact.email1)


class Filters(NamedTuple):
    """Which contacts a list shows: `show` is active, inactive or all; `sort` is name or newest."""

    text: str = ""
    show: str = "active"
    account_id: int | None = None
    sort: str = "name"


def for_session(contact_id: int, epoch: int) -> Contact | None:
    """The active contact a session belongs to, or None once their sessions were ended."""
    contact = load(Contact, contact_id)
    return contact if contact is not None and contact.active and contact.epoch == epoch else None


def find(contact_id: int) -> Contact | None:
    """The contact, or None."""
    return load(Contact, contact_id)


def get(contact_id: int, *, lock: bool = False) -> Contact:
    """The contact. Raises NotFound."""
    contact = load(Contact, contact_id, lock=lock)
    if contact is None:
        raise NotFound
    return contact


def verified(email_key: str) -> Contact | None:
    """The one contact that has proven this canonical address."""
    proven = Contact.email1_verified_at.is_not(None)
    return db.session.scalar(select(Contact).where(Contact.email1_key == email_key, proven))


def with_email(email_key: str) -> list[Contact]:
    """All contacts with this canonical primary address, proven or not."""
    return list(db.session.scalars(select(Contact).where(Contact.email1_key == email_key).order_by(Contact.id)))


def web_roles(contact_id: int) -> list[WebRole]:
    """The web roles given to a contact, by name; the implicit ones are not among them."""
    given = select(WebRole).join(ContactWebRole, ContactWebRole.web_role_id == WebRole.id)
    return list(db.session.scalars(given.where(ContactWebRole.contact_id == contact_id).order_by(WebRole.name_key)))


def role_names(contact_id: int) -> list[str]:
    """What the roles of a signed-in contact are called: those given to them, then the one that everybody has."""
    given = select(ContactWebRole.web_role_id).where(ContactWebRole.contact_id == contact_id)
    held = select(WebRole.name).where(or_(WebRole.id.in_(given), WebRole.implicit == roles.AUTHENTICATED))
    return list(db.session.scalars(held.order_by(WebRole.implicit.is_not(None), WebRole.name_key)))


def options(text: str) -> list[Option]:
    """At most 20 active contacts that match `text`, for a picker."""
    rows = _matching(Filters(text), *NAMED, Contact.active, Account.name.label("account"))
    return [_option(row) for row in db.session.execute(rows.order_by(Contact.name_key, Contact.id).limit(OFFERED))]


def by_ids(ids: Iterable[int]) -> list[Option]:
    """The contacts with these ids, active or not, as far as they exist, for a picker's chosen ones."""
    rows = _columns(*NAMED, Contact.active, Account.name.label("account")).where(Contact.id.in_(possible(ids)))
    return [_option(row) for row in db.session.execute(rows.order_by(Contact.name_key, Contact.id))]


def page(filters: Filters, after: str) -> paging.Page[Row[Any]]:
    """A page of the contacts that match; `after` is the cursor of the page before."""
    shown = (Contact.email1_verified_at, Contact.active, Contact.account_id, Contact.created_at, Contact.name_key)
    rows = _matching(filters, *NAMED, *shown, Account.name.label("account")).limit(paging.PAGE_SIZE + 1)
    if filters.sort == "newest":
        reached = paging.keys(after, int)
        rows = rows.where(Contact.id < reached[0]) if reached else rows
        return paging.page(db.session.execute(rows.order_by(Contact.id.desc())).all(), lambda row: (row.id,))
    reached = paging.keys(after, str, int)
    if reached:
        rows = rows.where(tuple_(Contact.name_key, Contact.id) > tuple_(*reached))
    found = db.session.execute(rows.order_by(Contact.name_key, Contact.id)).all()
    return paging.page(found, lambda row: (row.name_key, row.id))


def count(filters: Filters) -> int:
    """How many contacts match, at most 10,001."""
    return paging.capped(_matching(filters, Contact.id))


def with_role(role_id: int) -> int:
    """How many contacts have been given a web role."""
    given = select(func.count()).select_from(ContactWebRole).where(ContactWebRole.web_role_id == role_id)
    return db.session.scalar(given) or 0


def display_name(row: Row[Any]) -> str:
    """The name of a list's row, as `Contact.name` gives it for a record."""
    return f"{row.first_name} {row.last_name}".strip() or row.email1 or f"#{row.id}"


def _columns(*columns: Any) -> Select[Any]:
    return select(*columns).outerjoin(Account, Account.id == Contact.account_id)


def _matching(filters: Filters, *columns: Any) -> Select[Any]:
    rows = _columns(*columns)
    if filters.show in ("active", "inactive"):
        rows = rows.where(Contact.active.is_(filters.show == "active"))
    if filters.account_id is not None:
        rows = rows.where(Contact.account_id == filters.account_id)
    for word in searchable(filters.text).split():
        by_name = Contact.name_key.like(contains(fold(word, LONGEST_KEY)), escape="\\")
        address = contains(addresses.canonical(word) if "@" in word else addresses.lowered(word))
        by_address = [
            column.like(address, escape="\\")
            for column in (Contact.email1_key, func.lower(Contact.email2), func.lower(Contact.email3))
        ]
        rows = rows.where(or_(by_name, *by_address))
    return rows


def _option(row: Row[Any]) -> Option:
    name = display_name(row)
    hints = (row.email1 if row.email1 != name else "", row.account)
    return Option(row.id, name, " · ".join(hint for hint in hints if hint))
