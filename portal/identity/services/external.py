"""Who a contact is at a provider: linking an identity, and signing in with one."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import queries
from portal.identity.models import ExternalIdentity
from portal.identity.services.changing import named, notify
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.addresses import canonical
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict
from portal.providers.claims import Claims


def link_identity(contact: Contact, claims: Claims, caption: str, ip: str | None, now: datetime) -> bool:
    """Give a contact, locked by the caller, this identity as a way to sign in. False when it is theirs already.

    A proven address that is theirs counts as confirmed from now on. Raises Conflict when it is somebody else's.
    """
    values = {
        "contact_id": contact.id,
        "provider_id": claims.provider_id,
        "issuer": claims.issuer,
        "subject": claims.subject,
        **_shown(claims),
        "created_at": now,
        "used_at": now,
    }
    # Two browsers may come back with one identity at once; on PostgreSQL a violated constraint ends the transaction.
    dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    adding = dialect.insert(ExternalIdentity).values(**values).on_conflict_do_nothing().returning(ExternalIdentity.id)
    if db.session.scalar(adding) is None:
        held = queries.identity(claims.issuer, claims.subject)
        if held is None or held.contact_id != contact.id:
            raise Conflict(_("This sign-in belongs to somebody else here."))
        return False
    by = Actor("contact", contact.id, contact.name, ip)
    record("credential.identity-linked", named(contact), by=by, now=now, text=caption, detail={"provider": caption})
    prove_address(contact, claims, by, now)
    return True


def add_identity(whose: tuple[int, int], claims: Claims, caption: str, ip: str | None, now: datetime) -> bool:
    """Link one more identity to somebody who signs in already, and tell them by mail. As `link_identity`.

    `whose` is the contact's id and the epoch of the session that asks: one that was ended meanwhile adds nothing.
    """
    contact = contacts.get(whose[0], lock=True)
    if not contact.active or contact.epoch != whose[1]:
        raise Conflict(_("You were signed out in the meantime. Nothing was linked."))
    added = link_identity(contact, claims, caption, ip, now)
    if added and contact.email1:
        notify(contact.id, "identity-linked", now, provider=caption)
    return added


def signed_in_at(
    claims: Claims, caption: str, ip: str | None, now: datetime, *, refreshes: bool
) -> tuple[int, int] | None:
    """Note a sign-in at a provider and give the contact's id with the epoch that the session belongs to.

    None when the identity is nobody's (any more) or its contact is deactivated. `refreshes`: take over the name and
    the language that the provider gave; never the address, which is only confirmed if it is the contact's already.
    """
    held = queries.identity(claims.issuer, claims.subject)
    contact = contacts.get(held.contact_id, lock=True) if held else None
    if held is None or contact is None or not contact.active:
        return None
    theirs = (ExternalIdentity.id == held.id, ExternalIdentity.contact_id == contact.id)
    if execute_dml(update(ExternalIdentity).where(*theirs).values(used_at=now, **_shown(claims))) != 1:
        return None  # it was taken from them before we got hold of the contact
    by = Actor("contact", contact.id, contact.name, ip)
    record("sign-in.ok", named(contact), by=by, now=now, text=caption)
    if refreshes:
        _refresh(contact, claims, by, now)
    prove_address(contact, claims, by, now)
    return contact.id, contact.epoch


def refused_at(claims: Claims, ip: str | None, now: datetime) -> None:
    """Note that somebody who is deactivated tried to sign in at a provider."""
    held = queries.identity(claims.issuer, claims.subject)
    contact = contacts.find(held.contact_id) if held else None
    somebody = Actor("system", None, "", ip)
    record("sign-in.failed", by=somebody, now=now, text=contact.name if contact else "")


def prove_address(contact: Contact, claims: Claims, by: Actor, now: datetime) -> None:
    """Confirm the contact's own address where the provider has proven this very one, and nobody else has before."""
    if not claims.email_proven or contact.email1_key is None or contact.email1_verified_at is not None:
        return
    if canonical(claims.email) != contact.email1_key or contacts.verified(contact.email1_key) is not None:
        return
    contact_services.verify_email(contact.id, now)
    record("contact.email-verified", named(contact), by=by, now=now)


def _refresh(contact: Contact, claims: Claims, by: Actor, now: datetime) -> None:
    """Call them what the provider calls them; nothing is emptied, and what could not be typed here is left out."""
    names = {field: getattr(contact, field) for field in ("first_name", "last_name", "language")}
    if claims.language in contact_services.LANGUAGES:
        names["language"] = claims.language
    given = (claims.first_name, claims.last_name)
    if any(given) and all(map(contact_services.acceptable, given)):
        names["first_name"], names["last_name"] = given
    contact_services.present(contact.id, names, contact.version, by, now)


def _shown(claims: Claims) -> dict[str, str]:
    return {"email": claims.email[:254], "name": claims.name[:201]}
