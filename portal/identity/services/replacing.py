"""Taking a sign-in away from somebody who never proved the address, for the one who did."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import delete

from portal.contacts.models import Contact
from portal.identity import queries
from portal.identity.models import Credential, ExternalIdentity, RememberedBrowser
from portal.identity.services.changing import end_links, named
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.mail import outbox
from portal.passkeys.models import Passkey

WAYS = (Credential, ExternalIdentity, Passkey, RememberedBrowser)


def replace_sign_in(contact: Contact, ip: str | None, now: datetime) -> None:
    """Take away every way to sign in that somebody made who never proved the address (DECISIONS 3).

    Password, identities, passkeys, sessions, remembered browsers and unused links (so pending changes, too) go; the
    address is told. Nothing happens where there is none.
    """
    existing = queries.credential(contact.id)
    if existing is None and not queries.has_sign_in(contact.id):
        return
    username = existing.username if existing else ""
    for way in WAYS:
        execute_dml(delete(way).where(way.contact_id == contact.id))
    contact.epoch += 1
    end_links(contact.id, now)
    db.session.flush()
    outbox.enqueue("sign-in-replaced", now=now, contact_id=contact.id)
    by = Actor("contact", contact.id, contact.name, ip)
    text = _("Replaced by the person who came by the mailed link; its e-mail address was never confirmed.")
    record("credential.removed", named(contact), by=by, now=now, text=text, detail={"username": username})
