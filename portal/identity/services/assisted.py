"""What staff do to a contact's sign-in; the contact is told of each deed."""

from datetime import datetime, timedelta

from flask_babel import gettext as _

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import links, queries
from portal.identity.models import Credential
from portal.identity.services.changing import end_links, end_sessions, mail_link, named, notify, set_password
from portal.journal.services import record
from portal.kernel.db import db, load
from portal.kernel.errors import Conflict, Forbidden, NotFound
from portal.passkeys.models import Passkey
from portal.staff.permissions import Permission, StaffActor

SET_LINKS_PER_DAY = 5


def send_set_link(contact_id: int, by: StaffActor, now: datetime) -> Contact:
    """Mail a link with which the contact chooses a password, in place of any such link before it.

    Raises Conflict with the reason when it cannot be sent.
    """
    contact = contacts.get(contact_id, lock=True)
    reason = cannot_send(contact, queries.credential(contact_id))
    if reason:
        raise Conflict(reason)
    if queries.links_since(links.SET, now - timedelta(days=1), contact_id=contact_id) >= SET_LINKS_PER_DAY:
        raise Conflict(_("Several links were sent within a day. Please wait before you send another one."))
    end_links(contact_id, now, links.SET)
    mail_link(contact, links.SET, "set-password", now)
    record("credential.link-sent", named(contact), by=by, now=now, detail={"email": contact.email1 or ""})
    return contact


def cannot_send(contact: Contact, held: Credential | None) -> str | None:
    """Why no set-password link can be sent to the contact, or None."""
    if not contact.active:
        return _("The contact is deactivated.")
    if contact.email1 is None:
        return _("The contact has no primary e-mail address.")
    return None if held else _("Please give the contact a username first.")


def set_temporary(contact_id: int, password_hash: str, by: StaffActor, now: datetime) -> Contact:
    """Set a password that has to be changed at its first use; all sessions end.

    Raises Forbidden, or Conflict without a username.
    """
    contact, held = contacts.get(contact_id, lock=True), queries.credential(contact_id)
    if not by.may(Permission.SET_PASSWORDS):
        raise Forbidden(_("Only an owner may set a temporary password."))
    if held is None:
        raise Conflict(_("Please give the contact a username first."))
    set_password(held, contact, password_hash, now)
    held.must_change = True
    record("credential.temporary-password", named(contact), by=by, now=now)
    return contact


def remove_password(contact_id: int, by: StaffActor, now: datetime) -> Contact:
    """Take the password away, even where it is the last way to sign in; all sessions end. Raises NotFound."""
    contact, held = contacts.get(contact_id, lock=True), queries.credential(contact_id)
    if held is None or held.password_hash is None:
        raise NotFound
    held.password_hash, held.password_set_at, held.failures, held.must_change = None, None, 0, False
    end_sessions(contact, now)
    end_links(contact_id, now, links.RESET)
    notify(contact_id, "password-removed", now)
    record("credential.password-removed", named(contact), by=by, now=now)
    return contact


def remove_passkey(contact_id: int, passkey_id: int, by: StaffActor, now: datetime) -> Contact:
    """Take a passkey away, even where it is the last way to sign in; all sessions end. Raises NotFound."""
    contact, found = contacts.get(contact_id, lock=True), load(Passkey, passkey_id)
    if found is None or found.contact_id != contact_id:
        raise NotFound
    name = found.name
    db.session.delete(found)
    end_sessions(contact, now)
    notify(contact_id, "passkey-removed", now, passkey=name)
    record("credential.passkey-removed", named(contact), by=by, now=now, text=name)
    return contact


def unlock(contact_id: int, by: StaffActor, now: datetime) -> Contact:
    """Let the password work again after too many failures."""
    contact, held = contacts.get(contact_id, lock=True), queries.credential(contact_id)
    if held is None:
        raise NotFound
    held.failures = 0
    notify(contact_id, "unlocked", now)
    record("credential.unlocked", named(contact), by=by, now=now)
    return contact


def sign_out_everywhere(contact_id: int, by: StaffActor, now: datetime) -> Contact:
    """End all sessions of a contact, and forget the browsers they asked to be remembered."""
    contact = contacts.get(contact_id, lock=True)
    end_sessions(contact, now)
    notify(contact_id, "signed-out", now)
    record("credential.signed-out", named(contact), by=by, now=now)
    return contact
