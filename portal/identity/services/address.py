"""Moving to another e-mail address: it counts once a link that was mailed there was followed."""

from datetime import datetime, timedelta

from flask_babel import gettext as _

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import links, queries
from portal.identity.models import OneTimeLink
from portal.identity.services.changing import end_links, named, notify
from portal.journal.services import record
from portal.kernel import addresses
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Gone, Invalid, NotFound
from portal.kernel.secrets_ import new_public_id
from portal.mail import outbox

MOVES_PER_DAY = 5
DAY = timedelta(days=1)


def ask_move(contact_id: int, typed: str, by: Actor, now: datetime) -> str:
    """Mail a link to the new address and a notice to the present one; gives the address as it was understood.

    Of several that wait the newest counts. Whether somebody else has the address shows only to its owner, who can
    follow the link. Raises Invalid for the field `email`.
    """
    contact = contacts.get(contact_id, lock=True)
    email = addresses.parse(typed)
    key = addresses.canonical(email)
    if key == contact.email1_key:
        raise Invalid({"email": _("This is your address already.")})
    since = now - DAY
    asked = queries.links_since(links.CHANGE, since, contact_id=contact_id)
    if max(asked, queries.links_since(links.CHANGE, since, email_key=key)) >= MOVES_PER_DAY:
        raise Invalid({"email": _("We have sent several e-mails for this today already. Please try again tomorrow.")})
    end_links(contact_id, now, links.CHANGE)
    times = {"created_at": now, "expires_at": now + links.LIVES[links.CHANGE]}
    link = OneTimeLink(
        public_id=new_public_id(), contact_id=contact_id, purpose=links.CHANGE, email_key=key, email=email, **times
    )
    db.session.add(link)
    db.session.flush()
    outbox.enqueue("change-email", now=now, contact_id=contact_id, detail={"link": link.id})
    if contact.email1:
        notify(contact_id, "email-change-asked", now, to=contact.email1, email=email)
    record("contact.email-change-asked", named(contact), by=by, now=now, detail={"email": email})
    return email


def drop_move(contact_id: int, now: datetime) -> None:
    """Forget a new address that was asked for and not confirmed yet."""
    end_links(contact_id, now, links.CHANGE)


def waiting_move(link_id: int, stood: str, now: datetime) -> tuple[OneTimeLink, Contact]:
    """The living link that this browser opened when the contact `stood` so (`links.moves_from`), and its contact.

    Raises NotFound when that changed since, Gone for a link that is over.
    """
    link, contact = queries.opened_move(link_id)
    if link.used_at is not None:
        raise Gone(_("This link was used already, or a newer one took its place."))
    if link.expires_at <= now:
        raise Gone(_("This link has expired."))
    if links.moves_from(contact.email1_key, contact.epoch) != stood:
        raise NotFound
    return link, contact


def move(link_id: int, stood: str, ip: str | None, now: datetime) -> Contact:
    """Make the address that the link was mailed to the contact's, once; the earlier address is told.

    Raises NotFound, Gone, or Conflict when another contact has the address confirmed.
    """
    contacts.get(waiting_move(link_id, stood, now)[1].id, lock=True)  # of two at once the second sees the first
    link, contact = waiting_move(link_id, stood, now)
    before, email = contact.email1, link.email or ""
    contact_services.move_to(contact.id, email, Actor("contact", contact.id, contact.name, ip), now)
    end_links(contact.id, now)  # this one, and whatever was mailed to the earlier address
    if before:
        notify(contact.id, "email-changed", now, to=before, email=email)
    return contact
