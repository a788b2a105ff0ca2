"""Reading how contacts sign in: credentials, and the links mailed to them."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import func, or_, select

from portal.accounts import queries as accounts
from portal.contacts.models import Contact
from portal.identity import links
from portal.identity.models import Credential, ExternalIdentity, OneTimeLink
from portal.kernel.addresses import canonical
from portal.kernel.db import db
from portal.kernel.errors import NotFound
from portal.kernel.names import visible
from portal.kernel.secrets_ import token_id
from portal.passkeys.models import Passkey
from portal.settings.queries import ring, site


@dataclass(frozen=True)
class SignIn:
    """What signing in needs to know of a contact, free of the session it was read in."""

    contact_id: int
    active: bool
    password_hash: str | None
    failures: int


def username_key(username: str) -> str:
    """The form in which usernames are compared: `Anna`, `ANNA` and `Ａnna` are one."""
    return " ".join(unicodedata.normalize("NFKC", username).casefold().split())


def identifier_key(identifier: str) -> str:
    """The one spelling of what was typed to name an account: a username, or an address."""
    typed = visible(identifier).strip()
    return canonical(typed) if "@" in typed else username_key(typed)


def throttled_as(contact_id: int | None, identifier: str = "") -> str:
    """Under what failures to sign in are counted: the contact, or what was typed where that names nobody. The two
    never meet, or typing somebody's number would lock them out."""
    return f"contact:{contact_id}" if contact_id else f"typed:{identifier_key(identifier)}"


def sign_in(identifier: str) -> SignIn | None:
    """Whom a username or a confirmed e-mail address means; always one statement."""
    key = identifier_key(identifier)
    columns = (Credential.contact_id, Contact.active, Credential.password_hash, Credential.failures)
    statement = select(*columns).join(Contact, Contact.id == Credential.contact_id)
    if "@" in key:
        statement = statement.where(Contact.email1_key == key, Contact.email1_verified_at.is_not(None))
    else:
        statement = statement.where(Credential.username_key == key)
    row = db.session.execute(statement).one_or_none()
    return SignIn(*row) if row else None


def of_contact(contact_id: int) -> SignIn | None:
    """How this contact signs in."""
    columns = (Credential.contact_id, Contact.active, Credential.password_hash, Credential.failures)
    statement = select(*columns).join(Contact, Contact.id == Credential.contact_id)
    row = db.session.execute(statement.where(Credential.contact_id == contact_id)).one_or_none()
    return SignIn(*row) if row else None


def credential(contact_id: int) -> Credential | None:
    """The contact's username and password, read anew."""
    return db.session.get(Credential, contact_id, populate_existing=True)


def has_sign_in(contact_id: int) -> bool:
    """Whether the contact has any way to sign in: a password, an identity at a provider, a passkey."""
    ways = (
        select(Credential.contact_id).where(Credential.contact_id == contact_id, Credential.password_hash.is_not(None)),
        select(ExternalIdentity.contact_id).where(ExternalIdentity.contact_id == contact_id),
        select(Passkey.contact_id).where(Passkey.contact_id == contact_id),
    )
    return bool(db.session.scalar(select(or_(*(way.exists() for way in ways)))))


def taken(username: str) -> bool:
    """Whether somebody has this username, in any spelling."""
    statement = select(Credential.contact_id).where(Credential.username_key == username_key(username))
    return db.session.scalar(statement) is not None


def link(token: str, purpose: str) -> tuple[OneTimeLink, Contact]:
    """The link a token was made for, used or not, and its contact.

    Raises NotFound for a token nobody made, or whose contact is gone or has another address by now.
    """
    public_id = token_id(token)
    statement = select(OneTimeLink, Contact).join(Contact, Contact.id == OneTimeLink.contact_id)
    row = db.session.execute(statement.where(OneTimeLink.public_id == public_id)).one_or_none() if public_id else None
    if row is None or not links.genuine(ring(), token, purpose, row[0].id, row[0].email_key):
        raise NotFound(_no_link())
    found, contact = row
    if found.purpose != purpose or not contact.active or contact.email1_key != found.email_key:
        raise NotFound(_no_link())
    return found, contact


def _no_link() -> str:
    return _("This link is incomplete, or a newer one took its place. Please open the newest e-mail you have.")


def links_since(purpose: str, since: datetime, *, contact_id: int | None = None, email_key: str | None = None) -> int:
    """How many links of a purpose were made since then, for a contact or for an address whoever claims it."""
    statement = select(func.count()).select_from(OneTimeLink)
    statement = statement.where(OneTimeLink.purpose == purpose, OneTimeLink.created_at > since)
    if contact_id is not None:
        statement = statement.where(OneTimeLink.contact_id == contact_id)
    if email_key is not None:
        statement = statement.where(OneTimeLink.email_key == email_key)
    return db.session.scalar(statement) or 0


def words_about(contact: Contact | None, *more: str) -> list[str]:
    """What others know of somebody, so that no password is made of it: names, address, account, the site."""
    words = [site().name, *more]
    if contact is not None:
        account = accounts.find(contact.account_id) if contact.account_id else None
        held = credential(contact.id)
        words += [contact.first_name, contact.last_name, contact.email1 or ""]
        words += [account.name if account else "", held.username if held else ""]
    return [word for word in words if word]
