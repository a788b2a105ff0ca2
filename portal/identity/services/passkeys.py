"""A contact's passkeys: making one with the first sign-in, signing in with it, adding, renaming, removing."""

from datetime import datetime

from flask_babel import gettext as _

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import queries
from portal.identity.services.changing import end_sessions, named, notify
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.errors import Conflict
from portal.passkeys import services as passkeys
from portal.passkeys.ceremonies import Answer, Made
from portal.passkeys.pending import Challenge
from portal.passkeys.services import Copied, Owner, Refused


def give_passkey(contact: Contact, new: Made, name: str, ip: str | None, now: datetime) -> str:
    """Give a contact, locked by the caller or new, a passkey as their way to sign in, and say what it is called.
    Raises Conflict."""
    key = passkeys.add(Owner(contact_id=contact.id), new, name, now)
    by = Actor("contact", contact.id, contact.name, ip)
    record("credential.passkey-added", named(contact), by=by, now=now, text=key.name)
    return key.name


def add_passkey(contact_id: int, new: Made, name: str, by: Actor, now: datetime) -> None:
    """One more passkey for somebody who signs in already; they are told by mail. Raises Conflict."""
    contact = contacts.get(contact_id, lock=True)
    if not contact.active:
        raise Conflict(_("This sign-in is switched off."))
    called = give_passkey(contact, new, name, by.ip, now)
    notify(contact.id, "passkey-added", now, passkey=called)


def rename_own_passkey(contact_id: int, passkey_id: int, name: str, by: Actor, now: datetime) -> None:
    """Another name for one's own passkey. Raises NotFound, Invalid."""
    contact = contacts.get(contact_id, lock=True)
    before, after = passkeys.rename(Owner(contact_id=contact_id), passkey_id, name)
    if before != after:
        detail = {"changes": {"name": [before, after]}}
        record("credential.passkey-renamed", named(contact), by=by, now=now, detail=detail)


def remove_own_passkey(contact_id: int, passkey_id: int, by: Actor, now: datetime) -> tuple[str, tuple[int, int]]:
    """Take one's own passkey away, and end all sessions; a mail says so. Gives its name, and the contact's id with the
    epoch in which the session that asks goes on. Raises NotFound, and Conflict for the last way to sign in."""
    contact = contacts.get(contact_id, lock=True)  # of two who remove at once, the second sees what is left
    name = passkeys.remove(Owner(contact_id=contact_id), passkey_id)
    if not queries.ways(contact_id):
        raise Conflict(_("This is your last way to sign in. Set up another one first."))
    record("credential.passkey-removed", named(contact), by=by, now=now, text=name)
    end_sessions(contact, now)
    notify(contact.id, "passkey-removed", now, passkey=name)
    return name, (contact.id, contact.epoch)


def signed_in_by_passkey(answer: Answer, challenge: Challenge | None, ip: str | None, now: datetime) -> tuple[int, int]:
    """Note a sign-in and give the contact's id with the epoch that the session belongs to. Raises Refused: for what
    the answer is worth, for a staff member's key, and for a deactivated contact."""
    key = passkeys.use(answer, challenge, now)
    contact = contacts.find(key.contact_id or 0)
    if contact is None or not contact.active:
        raise Refused("no active contact")
    record("sign-in.ok", named(contact), by=Actor("contact", contact.id, contact.name, ip), now=now, text=_("Passkey"))
    return contact.id, contact.epoch


def proven_by_passkey(contact_id: int, answer: Answer, challenge: Challenge | None, now: datetime) -> None:
    """Check that the signed-in contact answered, with a passkey of their own. Raises Refused."""
    passkeys.use(answer, challenge, now, Owner(contact_id=contact_id))


def passkey_refused(refused: Refused, ip: str | None, now: datetime) -> None:
    """Note on a contact's record that somebody used what seems to be a copy of their passkey. Nothing else about an
    answer that was refused is worth a line in the journal."""
    contact = contacts.find(refused.contact_id or 0) if isinstance(refused, Copied) else None
    if isinstance(refused, Copied) and contact is not None:
        somebody = Actor("system", None, "", ip)
        record("credential.passkey-copied", named(contact), by=somebody, now=now, text=refused.key_name)
