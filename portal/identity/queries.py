"""Reading how contacts sign in: credentials, and the links mailed to them."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from flask_babel import gettext as _
from sqlalchemy import false, func, or_, select

from portal.accounts import queries as accounts
from portal.contacts.models import Contact
from portal.identity import links
from portal.identity.models import Credential, ExternalIdentity, OneTimeLink, RememberedBrowser
from portal.kernel.addresses import canonical
from portal.kernel.db import db
from portal.kernel.errors import NotFound
from portal.kernel.names import visible
from portal.kernel.secrets_ import token_id
from portal.passkeys.models import Passkey
from portal.providers.models import Provider
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


def sign_in(identifier: str, *, by_email_only: bool = False) -> SignIn | None:
    """Whom a username or a confirmed e-mail address means, or the address alone; always one statement."""
    key = identifier_key(identifier)
    columns = (Credential.contact_id, Contact.active, Credential.password_hash, Credential.failures)
    statement = select(*columns).join(Contact, Contact.id == Credential.contact_id)
    if "@" in key:
        statement = statement.where(Contact.email1_key == key, Contact.email1_verified_at.is_not(None))
    else:
        statement = statement.where(Credential.username_key == key)
        statement = statement.where(false()) if by_email_only else statement
    row = db.session.execute(statement).one_or_none()
    return SignIn(*row) if row else None


def resets(identifier: str) -> int | None:
    """The contact who may replace the password that goes with a username or an address, by mail; one statement always.

    An address that nobody confirmed counts where the site says so, and then only if one sign-in alone has it.
    """
    key = identifier_key(identifier)
    unproven = Contact.email1_verified_at.is_(None)
    statement = select(Contact.id, unproven).join(Credential, Credential.contact_id == Contact.id)
    statement = statement.where(Contact.email1_key == key if "@" in key else Credential.username_key == key)
    if site().reset_needs_confirmed_email:
        statement = statement.where(Contact.email1_verified_at.is_not(None))
    rows = db.session.execute(statement.where(Contact.active).order_by(unproven, Contact.id).limit(2)).all()
    return rows[0][0] if rows and (len(rows) == 1 or not rows[0][1]) else None


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


def identity(issuer: str, subject: str) -> ExternalIdentity | None:
    """Whose this identity at a provider is, read anew."""
    whose = (ExternalIdentity.issuer == issuer, ExternalIdentity.subject == subject)
    return db.session.scalar(select(ExternalIdentity).where(*whose).execution_options(populate_existing=True))


class Identity(NamedTuple):
    """An identity at a provider, as pages show it; `usable` says whether one can sign in with it now."""

    id: int
    slug: str
    caption: str
    mark: str
    email: str
    name: str
    created_at: datetime
    used_at: datetime | None
    usable: bool


def identities(contact_id: int) -> list[Identity]:
    """The contact's identities at providers, oldest first."""
    shown = (Provider.slug, Provider.caption, Provider.mark, ExternalIdentity.email, ExternalIdentity.name)
    times = (ExternalIdentity.created_at, ExternalIdentity.used_at, Provider.enabled & Provider.for_sign_in)
    rows = select(ExternalIdentity.id, *shown, *times).join(Provider, Provider.id == ExternalIdentity.provider_id)
    found = db.session.execute(rows.where(ExternalIdentity.contact_id == contact_id).order_by(ExternalIdentity.id))
    return [Identity(*row[:-1], usable=row[-1] and site().external_sign_in) for row in found]


def ways(contact_id: int) -> int:
    """How many ways the contact has to sign in that work by the site's settings, one statement."""
    linked = select(func.count()).select_from(ExternalIdentity)
    linked = linked.join(Provider, Provider.id == ExternalIdentity.provider_id).where(
        ExternalIdentity.contact_id == contact_id, Provider.enabled, Provider.for_sign_in
    )
    local = select(func.count()).where(Credential.contact_id == contact_id, Credential.password_hash.is_not(None))
    keys = select(func.count()).where(Passkey.contact_id == contact_id)
    on = ((site().local_sign_in, local), (site().external_sign_in, linked), (site().passkeys, keys))
    counts = [count.scalar_subquery() for works, count in on if works]
    return sum(db.session.execute(select(*counts)).one()) if counts else 0


def moving(token: str) -> tuple[OneTimeLink, Contact]:
    """The link to a new address that a token was made for, used or not, and its contact. Raises NotFound for a token
    nobody made, or whose contact is gone, got another address or was shut out since."""
    public_id = token_id(token)
    statement = select(OneTimeLink.id).where(OneTimeLink.public_id == public_id)
    link_id = db.session.scalar(statement) if public_id else None
    found, contact = opened_move(link_id or 0)
    bound = links.moving(found.email_key, links.moves_from(contact.email1_key, contact.epoch))
    if not links.genuine(ring(), token, links.CHANGE, found.id, bound):
        raise NotFound(_no_link())
    return found, contact


def opened_move(link_id: int) -> tuple[OneTimeLink, Contact]:
    """The same for a link that this browser opened before. Raises NotFound."""
    statement = select(OneTimeLink, Contact).join(Contact, Contact.id == OneTimeLink.contact_id)
    statement = statement.where(OneTimeLink.id == link_id, OneTimeLink.purpose == links.CHANGE)
    row = db.session.execute(statement.execution_options(populate_existing=True)).one_or_none()
    if row is None or not row[1].active:
        raise NotFound(_no_link())
    return row[0], row[1]


def moving_to(contact_id: int, now: datetime) -> str | None:
    """The new address that a contact has asked for and not confirmed yet."""
    waiting = select(OneTimeLink.email).where(OneTimeLink.contact_id == contact_id)
    waiting = waiting.where(OneTimeLink.purpose == links.CHANGE, OneTimeLink.used_at.is_(None))
    return db.session.scalar(waiting.where(OneTimeLink.expires_at > now).order_by(OneTimeLink.id.desc()).limit(1))


def remembered(contact_id: int, now: datetime) -> list[RememberedBrowser]:
    """The browsers that the contact asked to be remembered, those used last first."""
    kept = select(RememberedBrowser).join(Contact, Contact.id == RememberedBrowser.contact_id)
    kept = kept.where(RememberedBrowser.contact_id == contact_id, RememberedBrowser.epoch == Contact.epoch)
    kept = kept.where(RememberedBrowser.expires_at > now)
    return list(db.session.scalars(kept.order_by(RememberedBrowser.used_at.desc())))


def taken(username: str, *, but: int | None = None) -> bool:
    """Whether somebody has this username, in any spelling; the contact `but` does not count."""
    statement = select(Credential.contact_id).where(Credential.username_key == username_key(username))
    return db.session.scalar(statement) not in (None, but)


def link(token: str, purpose: str) -> tuple[OneTimeLink, Contact]:
    """The link a token was made for, used or not, and its contact.

    Raises NotFound for a token nobody made, or whose contact is gone or has another address by now.
    """
    public_id = token_id(token)
    statement = select(OneTimeLink, Contact).join(Contact, Contact.id == OneTimeLink.contact_id)
    row = db.session.execute(statement.where(OneTimeLink.public_id == public_id)).one_or_none() if public_id else None
    if row is None or not links.genuine(ring(), token, purpose, row[0].id, row[0].email_key):
        raise NotFound(_no_link())
    return _standing(row[0], row[1], purpose)


def opened_link(link_id: int, purpose: str) -> tuple[OneTimeLink, Contact]:
    """The same for a link that this browser opened before, and whose session keeps its number."""
    statement = select(OneTimeLink, Contact).join(Contact, Contact.id == OneTimeLink.contact_id)
    row = db.session.execute(statement.where(OneTimeLink.id == link_id)).one_or_none()
    if row is None:
        raise NotFound(_no_link())
    return _standing(row[0], row[1], purpose)


def _standing(found: OneTimeLink, contact: Contact, purpose: str) -> tuple[OneTimeLink, Contact]:
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


def remembered_by(selector: str, purpose: str, *, lock: bool = False) -> RememberedBrowser | None:
    """The remembered browser whose cookie holds this selector, or None."""
    found = select(RememberedBrowser).where(RememberedBrowser.selector == selector)
    found = found.where(RememberedBrowser.purpose == purpose).execution_options(populate_existing=True)
    return db.session.scalar(found.with_for_update() if lock else found)


def is_remembered(browser_id: int) -> bool:
    """Whether this browser is remembered still."""
    return db.session.scalar(select(RememberedBrowser.id).where(RememberedBrowser.id == browser_id)) is not None
