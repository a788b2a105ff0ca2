"""A contact's own ways to sign in: a username, a first password, identities; one of them always stays."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import queries
from portal.identity.models import Credential, ExternalIdentity
from portal.identity.services.changing import end_sessions, named, notify
from portal.identity.services.local import create_sign_in
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml, load
from portal.kernel.errors import Conflict, Invalid, NotFound
from portal.providers.models import Provider


def keep_a_way(contact_id: int) -> None:
    """Refuse what was just taken away if it was the contact's last way to sign in that works. Raises Conflict.

    The caller holds the contact locked since before, or two removals at once would each see the other's way.
    """
    db.session.flush()
    if queries.ways(contact_id) == 0:
        raise Conflict(_("This is your last way to sign in. Please add another one first."))


def proved(contact_id: int, stored: str) -> None:
    """The right password was typed: the failures before it count no more."""
    held = (Credential.contact_id == contact_id, Credential.password_hash == stored, Credential.failures > 0)
    execute_dml(update(Credential).where(*held).values(failures=0))


def name_user(contact_id: int, username: str, by: Actor, now: datetime) -> Contact:
    """Give a contact this username, their first or another one. Raises Invalid when it is taken."""
    contact = contacts.get(contact_id, lock=True)
    held = queries.credential(contact_id)
    before = held.username if held else ""
    if before == username:
        return contact
    if queries.taken(username, but=contact_id):
        raise Invalid({"username": taken()})
    key = queries.username_key(username)
    if held is None:
        db.session.add(Credential(contact_id=contact_id, username=username, username_key=key))
    else:
        held.username, held.username_key = username, key
    try:
        db.session.flush()
    except IntegrityError as fault:  # somebody else took it at this moment
        raise Invalid({"username": taken()}) from fault
    if before:
        notify(contact_id, "username-changed", now, username=username)
    changes = {"username": [before, username]}
    record("credential.username-changed", named(contact), by=by, now=now, detail={"changes": changes})
    return contact


def first_password(contact_id: int, username: str, password_hash: str, by: Actor, now: datetime) -> Contact:
    """Give a contact who signs in otherwise a password, and a username unless they have one.

    Raises Invalid when the username is taken, or when there is a password by now.
    """
    contact = contacts.get(contact_id, lock=True)
    held = queries.credential(contact_id)
    if held is None:
        create_sign_in(contact, username, password_hash, by.ip, now)
    elif held.password_hash is not None:
        raise Invalid({"": _("There is a password already. Please open your profile again.")})
    else:
        held.password_hash, held.password_set_at, held.failures, held.must_change = password_hash, now, 0, False
        record("credential.password-set", named(contact), by=by, now=now)
    notify(contact_id, "password-set", now)
    return contact


def remove_identity(contact_id: int, identity_id: int, by: Actor, now: datetime) -> Contact:
    """Take an identity at a provider away, and end all sessions. Raises NotFound, or Conflict for a contact who would
    have no way to sign in left; staff may remove the last one, too."""
    contact = contacts.get(contact_id, lock=True)
    found = load(ExternalIdentity, identity_id)
    if found is None or found.contact_id != contact_id:
        raise NotFound
    caption = db.session.get_one(Provider, found.provider_id).caption
    db.session.delete(found)
    if by.kind == "contact":
        keep_a_way(contact_id)
    end_sessions(contact, now)
    notify(contact_id, "identity-removed", now, provider=caption)
    detail = {"provider": caption}
    record("credential.identity-removed", named(contact), by=by, now=now, text=caption, detail=detail)
    return contact


def taken() -> str:
    """What somebody is told who wants a username that is another's."""
    return _("This username is taken. Please choose another one.")
